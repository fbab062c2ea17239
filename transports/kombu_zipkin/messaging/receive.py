"""The CONSUMER span around the handling of one message, and the bar that shows its time in the queue."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from kombu import Message

from kombu_zipkin.messaging.headers import back_off_seconds, sent_seconds, without_trace
from kombu_zipkin.tracing import ActiveSpan, Kind, TraceContext, Tracer, extract


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery of a message; its ids come from its key, so that a successor finds them without asking.

    Attributes:
        key: Names it, unique.
        at: When it was delivered, in epoch seconds.
        reason: Why it was lost; empty when it was not.
    """

    key: str
    at: float
    reason: str = ""

    @property
    def span_id(self) -> str:
        """Id of its CONSUMER span."""
        return blake2b(self.key.encode(), digest_size=8).hexdigest()

    @property
    def wait_id(self) -> str:
        """Id of the bar of the wait before it."""
        return blake2b(self.key.encode(), digest_size=8, person=b"wait").hexdigest()


_SETTLED: Final = {"ack": "acknowledged", "reject": "rejected", "requeue": "requeued"}


@contextmanager
def received(
    message: Message,
    tracer: Tracer,
    *,
    name: str | None = None,
    broker: str = "redis",
    subject: str | None = None,
    earlier: Sequence[Delivery] = (),
    delivery: Delivery | None = None,
) -> Iterator[ActiveSpan]:
    """Continue the trace of a message while it is handled: for ``Queue.get``, ``SimpleQueue`` and hand-made loops.

    The span is a CONSUMER span of its own, below the PRODUCER span; beside it stands a bar ``wait in <queue>`` from
    the sending to now. The trace headers are taken off the message, so that publishing it again does not revive its
    trace; ``requeue`` and ``reject`` put them back. Acknowledging inside is annotated; an exception marks the span.

    Args:
        message: The kombu message, not acknowledged yet.
        tracer: Makes the spans.
        name: The span's name; ``process <queue>`` without one.
        broker: The broker's service name in Zipkin.
        subject: What the sampler's rules go by, where the sender has not decided; None for the name.
        earlier: Deliveries of this message that were lost with their processes, in order; each is shown as failed.
        delivery: This one, where a successor must be able to report it; None when nobody could.
    """
    now = time.time()
    headers: dict[str, Any] = message.headers or {}
    sent = extract(headers)
    queue = destination_of(message.delivery_info)
    message.headers = without_trace(headers)
    with tracer.root(
        name or f"process {queue}",
        kind=Kind.CONSUMER,
        context=sent,
        remote=broker,
        subject=subject,
        span_id=delivery.span_id if delivery else None,
    ) as span:
        span.annotate("received")
        _tag(span, message, queue, broker)
        if sent is not None and sent.span_id is not None:
            above = _above(sent, span)
            first = next(iter((*earlier, *filter(None, [delivery]))), None)
            until = first.at if earlier and first else now
            _show_wait(tracer, span, above, headers, until, broker, first.wait_id if first else None)
            _show_lost(tracer, span.name, above, broker, earlier, now)
        for settle, outcome in _SETTLED.items():
            setattr(message, settle, _Settling(message, getattr(message, settle), span, outcome, headers))
        yield span


def destination_of(delivery_info: Mapping[str, Any] | None) -> str:
    """Return the queue of a message: its routing key, else its exchange."""
    info = delivery_info or {}
    return str(info.get("routing_key") or info.get("exchange") or "queue")


class _Settling:
    """``ack``, ``reject`` or ``requeue`` of one message: annotates the span, puts the headers back if it goes back."""

    def __init__(
        self, message: Message, settle: Callable[..., Any], span: ActiveSpan, outcome: str, headers: dict[str, Any]
    ) -> None:
        self._message = message
        self._settle = settle
        self._span = span
        self._outcome = outcome
        self._headers = headers

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._outcome != "acknowledged":
            self._message.headers = self._headers
        result = self._settle(*args, **kwargs)
        self._span.annotate(self._outcome)
        return result


def _tag(span: ActiveSpan, message: Message, queue: str, broker: str) -> None:
    span.tag("messaging.system", broker)
    span.tag("messaging.destination.name", queue)
    span.tag("messaging.operation.type", "process")
    message_id = message.properties.get("message_id")
    if message_id:
        span.tag("messaging.message.id", message_id)
    if message.body is not None:
        span.tag("messaging.message.body.size", len(message.body))
    if message.delivery_info.get("redelivered") or message.headers.get("redelivered"):
        span.tag("job.redelivered", True)


def _above(sent: TraceContext, span: ActiveSpan) -> TraceContext:
    """The context of the PRODUCER span, with the decision that this span goes by."""
    return TraceContext(sent.trace_id, sent.span_id, None, span.context.sampled, span.context.debug)


def _show_lost(
    tracer: Tracer, name: str, above: TraceContext, broker: str, earlier: Sequence[Delivery], now: float
) -> None:
    """Report the deliveries whose processes cannot, each until the next one: what they did hangs below them."""
    for number, lost in enumerate(earlier):
        until = earlier[number + 1].at if number + 1 < len(earlier) else now
        tracer.record(
            name,
            parent=above,
            started=lost.at,
            duration=max(0.0, until - lost.at),
            kind=Kind.CONSUMER,
            remote=broker,
            span_id=lost.span_id,
            tags={"error": lost.reason, "job.outcome": "lost"},
        )


def _show_wait(
    tracer: Tracer,
    span: ActiveSpan,
    above: TraceContext,
    headers: Mapping[str, Any],
    now: float,
    broker: str,
    wait_id: str | None,
) -> None:
    """Report the time in the queue as a span of the broker's; where the clocks disagree, no bar but a tag.

    A retried job waited first for its time, then in the queue: two bars.
    """
    sent_at, failed_at = sent_seconds(headers), back_off_seconds(headers)
    if sent_at is None:
        return
    if failed_at is not None and failed_at < sent_at:
        tracer.record("back off", parent=above, service=broker, started=failed_at, duration=sent_at - failed_at)
    if now < sent_at:
        span.tag("job.clock_skew_ms", round((sent_at - now) * 1000, 3))
        return
    span.tag("job.queue_time_ms", round((now - sent_at) * 1000, 3))
    queue = span.tags["messaging.destination.name"]
    waited = now - sent_at
    tracer.record(f"wait in {queue}", parent=above, service=broker, started=sent_at, duration=waited, span_id=wait_id)
