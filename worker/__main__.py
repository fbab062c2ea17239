"""``python -m worker``: run the sample tasks until SIGTERM."""

from kombu_zipkin.cli import run_worker_program
from worker.echo import echo_pages

if __name__ == "__main__":
    run_worker_program(["worker.tasks"], echo_pages)
