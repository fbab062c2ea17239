"""gevent, patched first of all: greenlets with traces of their own, and a flusher that is a greenlet as well."""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402 - the patch comes first

import gevent  # noqa: E402

from tests.processes.subjects.work import do_traces, make_tracer, marks  # noqa: E402

GREENLETS, TRACES = 40, 10


def main() -> None:
    """Run the greenlets to their end; the flusher must have sent everything before the process ends."""
    tracer, transport = make_tracer()
    greenlets = [gevent.spawn(do_traces, tracer, marks(f"greenlet-{number}", TRACES)) for number in range(GREENLETS)]
    gevent.joinall(greenlets, timeout=20, raise_error=True)
    sent = transport.flush(10)
    run_late = gevent.spawn(do_traces, tracer, marks("late", TRACES))  # left to the interpreter's exit
    run_late.join()
    sys.exit(0 if sent else 1)


if __name__ == "__main__":
    main()
