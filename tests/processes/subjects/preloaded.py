"""gevent, patched after the transport was made, as gunicorn's --preload does it: one flusher nevertheless."""

import threading

from tests.processes.subjects.work import do_trace, make_tracer

_tracer, _transport = make_tracer()

import gevent  # noqa: E402 - only now
from gevent import monkey  # noqa: E402

GREENLETS = 40


def main() -> None:
    """Let all greenlets end their first traces at once; prints how many flushers there are."""
    monkey.patch_all()
    greenlets = [gevent.spawn(do_trace, _tracer, f"greenlet-{number}.0") for number in range(GREENLETS)]
    gevent.joinall(greenlets, timeout=20, raise_error=True)
    print([thread.name for thread in threading.enumerate()].count("kombu-zipkin-flusher"))
    _transport.close(10)


if __name__ == "__main__":
    main()
