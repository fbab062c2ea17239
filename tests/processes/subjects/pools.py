"""multiprocessing: processes and a pool, by the start method named third; nobody calls ``close``."""

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

from tests.processes.subjects.work import do_traces, make_tracer, marks

PROCESSES, TRACES = 3, 5
_made = make_tracer(linger_ms=60_000)  # a spawned process imports this anew, a forked one finds its parent's


def run(who: str) -> None:
    """Make traces in a process of multiprocessing."""
    do_traces(_made[0], marks(who, TRACES))


def main() -> None:
    """Trace before, in, and after the processes."""
    multiprocessing.set_start_method(sys.argv[3])
    run("before")
    processes = [multiprocessing.Process(target=run, args=(f"process-{number}",)) for number in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(run, [f"pooled-{number}" for number in range(PROCESSES)]))
    run("after")
    sys.exit(any(process.exitcode for process in processes))


if __name__ == "__main__":
    main()
