"""The trace's headers on a message: which they are, written at each publish, taken off at each receipt."""

import time
from collections.abc import Mapping
from typing import Any, Final

from kombu_zipkin.tracing import HEADERS as B3_HEADERS
from kombu_zipkin.tracing import ActiveSpan, TraceContext, inject_message

SENT: Final = "kombu-zipkin-sent-us"
"""Epoch microseconds of the publish; with a delay, of the moment the message was due."""

BACK_OFF: Final = "kombu-zipkin-back-off-us"
"""Epoch microseconds at which a failed job began to wait for its next attempt; it was due at the time it was sent."""

_OUR_HEADERS: Final = B3_HEADERS | {SENT, BACK_OFF}
_TRACE_HEADERS: Final = _OUR_HEADERS | {"traceparent", "tracestate"}
_LATEST_US: Final = 1 << 62


class TracedHeaders(dict[str, Any]):
    """Headers of a message whose PRODUCER span exists: `instrument_kombu` lets them pass.

    Attributes:
        span: That span, where the size of the body is still to be tagged; None otherwise.
    """

    span: ActiveSpan | None = None


def outgoing(context: TraceContext, *, sent_at: float | None = None) -> TracedHeaders:
    """Return the headers of a message that is sent now, or at ``sent_at`` epoch seconds."""
    sent = int((time.time() if sent_at is None else sent_at) * 1_000_000)
    return TracedHeaders({**inject_message(context), SENT: sent})


def sent_seconds(headers: Mapping[str, Any]) -> float | None:
    """Return when a message was sent, in epoch seconds; None when it does not say."""
    return _seconds(headers.get(SENT))


def back_off_seconds(headers: Mapping[str, Any]) -> float | None:
    """Return when a retried job began to wait, in epoch seconds; None for a first attempt."""
    return _seconds(headers.get(BACK_OFF))


def without_trace(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the headers that are the application's own, for the code that handles a message.

    A message that it publishes again would otherwise revive a context that is over, and show a false wait.
    """
    return {name: value for name, value in headers.items() if str(name).lower() not in _TRACE_HEADERS}


def without_b3(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the headers that a publish keeps: all but those it writes itself. Other tracers' are not ours to drop."""
    return {name: value for name, value in headers.items() if str(name).lower() not in _OUR_HEADERS}


def _seconds(microseconds: object) -> float | None:
    if type(microseconds) is not int or not 0 < microseconds < _LATEST_US:
        return None
    return microseconds / 1_000_000
