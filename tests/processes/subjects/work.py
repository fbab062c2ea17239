"""What every subject does: traces of three spans, each marked, with a pause wherever another thread may cut in."""

import sys
import threading
from collections.abc import Iterable

from py_zipkin.zipkin import zipkin_span

from kombu_zipkin.spans import RedisStreamTransport
from kombu_zipkin.tracing import Tracer


def make_tracer(linger_ms: int = 20) -> tuple[Tracer, RedisStreamTransport]:
    """Make the tracer and its transport from this program's arguments: the Redis and the stream."""
    transport = RedisStreamTransport(sys.argv[1], stream=sys.argv[2], linger_ms=linger_ms)
    return Tracer("subject", transport, host="10.0.0.1"), transport


def pause(seconds: float = 0.001) -> None:
    """Let others run; looked up when called, so that gevent's patch counts."""
    threading.Event().wait(seconds)


def do_trace(tracer: Tracer, mark: str) -> None:
    """Make one whole trace: a root, our child below it, py_zipkin's below that."""
    with tracer.root("request") as root:
        root.tag("mark", mark)
        do_steps(tracer, mark)


def do_steps(tracer: Tracer, mark: str) -> None:
    """Make the two spans below a root."""
    pause()
    with tracer.child("step") as step:
        step.tag("mark", mark)
        with zipkin_span("subject", span_name="detail", binary_annotations={"mark": mark}):
            pause()


def do_traces(tracer: Tracer, marks: Iterable[str]) -> None:
    """Make a trace for each mark."""
    for mark in marks:
        do_trace(tracer, mark)


def marks(who: str, count: int) -> list[str]:
    """Return so many marks of one thread, task or process."""
    return [f"{who}.{number}" for number in range(count)]
