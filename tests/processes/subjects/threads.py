"""Many threads, one tracer, each thread its own traces; what waits is sent at interpreter exit."""

import threading

from tests.processes.subjects.work import do_traces, make_tracer, marks

THREADS, TRACES = 32, 20


def main() -> None:
    """Run the threads to their end."""
    tracer, _ = make_tracer()
    threads = [
        threading.Thread(target=do_traces, args=(tracer, marks(f"thread-{number}", TRACES)))
        for number in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
