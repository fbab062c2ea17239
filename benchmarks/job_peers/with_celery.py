"""Celery: acknowledged late, so that a killed worker's jobs are not lost; no results."""

import sys

from celery import Celery
from peer import THREADS, become, run, url

app = Celery("with_celery", broker=url())
app.conf.update(task_acks_late=True, task_ignore_result=True, worker_hijack_root_logger=False)


@app.task(name="noop")
def noop(n: int) -> None:
    """Do nothing."""


def work() -> None:
    """Run the pool that the command line names."""
    pool = sys.argv[3]
    size = {"threads": THREADS, "prefork": 2, "solo": 1}[pool]
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "ERROR")
    become("celery", "-A", "with_celery", "worker", "--pool", pool, "--concurrency", str(size), *quiet)


if __name__ == "__main__":
    run(lambda number: noop.delay(number), work)
