"""Read and write the trace context as B3 headers.

Source: openzipkin/b3-propagation, README.md.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from kombu_zipkin.tracing.context import TraceContext

SINGLE: Final = "b3"
TRACE_ID: Final = "X-B3-TraceId"
SPAN_ID: Final = "X-B3-SpanId"
PARENT_ID: Final = "X-B3-ParentSpanId"
SAMPLED: Final = "X-B3-Sampled"
FLAGS: Final = "X-B3-Flags"

HEADERS: Final = frozenset(name.lower() for name in (SINGLE, TRACE_ID, SPAN_ID, PARENT_ID, SAMPLED, FLAGS))
"""The names of all B3 headers, in lower case."""

_SINGLE = re.compile(
    r"(?:([0-9a-f]{32}|[0-9a-f]{16})-([0-9a-f]{16})(?:-([01d]))?(?:-([0-9a-f]{16}))?|([01d]))", re.ASCII
)
_TRACE_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{16}", re.ASCII)
_SPAN_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)
_STATES: Final = {"1": True, "true": True, "0": False, "false": False}
_LONGEST: Final = 32 + 16 + 1 + 16 + 3


def extract(headers: Mapping[Any, object]) -> TraceContext | None:
    """Read the context somebody sent; the single header first, then the ``X-B3-*`` ones.

    Args:
        headers: Names in any case, as ``str`` or ``bytes``; values of any type. Whatever is not B3 is passed over.

    Returns:
        The context; one without ids for a lone sampling state; None where there is none or it is malformed, which
        means: start a new trace. Never raises on the content of the headers.
    """
    found = _b3_headers(headers)
    if not found:
        return None
    single = found.get(SINGLE)
    context = None if single is None else _parse_single(single)
    return context or _parse_multi(found)


def inject_message(context: TraceContext) -> dict[str, str]:
    """Write the context for a message: the single header, without the parent.

    B3 advises messaging to leave the parent out; the receiver's span is a child, never the same span.

    Returns:
        One header; none for a context with neither ids nor a state.
    """
    state = "d" if context.debug else _state(context.sampled)
    if context.trace_id is None or context.span_id is None:
        return {SINGLE: state} if state else {}
    ids = f"{context.trace_id}-{context.span_id}"
    return {SINGLE: f"{ids}-{state}" if state else ids}


def inject_http(context: TraceContext) -> dict[str, str]:
    """Write the context for an HTTP request: the ``X-B3-*`` headers, which every B3 implementation reads.

    Returns:
        The headers; a value that is absent has no header.
    """
    headers = {}
    if context.trace_id is not None and context.span_id is not None:
        headers = {TRACE_ID: context.trace_id, SPAN_ID: context.span_id}
        if context.parent_id is not None:
            headers[PARENT_ID] = context.parent_id
    if context.debug:
        headers[FLAGS] = "1"
    elif context.sampled is not None:
        headers[SAMPLED] = _state(context.sampled)
    return headers


def _b3_headers(headers: Mapping[Any, object]) -> dict[str, str]:
    """Pick the B3 headers: lower-case name to text; of two that differ in case only, the exact name wins."""
    found: dict[str, str] = {}
    for name, value in headers.items():
        key = _text(name) if isinstance(name, (str, bytes)) else None
        lower = key.lower() if key is not None else None
        if lower is not None and lower in HEADERS and (lower not in found or key == lower):
            text = _text(value)
            if text is not None:
                found[lower] = text
    return found


def _text(value: object) -> str | None:
    """Read a header's value, whatever type the carrier gave it; None if it cannot be one."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int):
        return str(value) if -9 <= value <= 9 else ""
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("ascii", "replace")
    if isinstance(value, (list, tuple)) and value:
        return None if isinstance(value[0], (list, tuple)) else _text(value[0])
    return None


def _parse_single(value: str) -> TraceContext | None:
    match = _SINGLE.fullmatch(value) if len(value) <= _LONGEST else None
    if match is None:
        return None
    trace_id, span_id, state, parent_id, lone = match.groups()
    if lone is not None:
        return TraceContext(None, None, None, lone != "0", lone == "d")
    if _is_zero(trace_id) or _is_zero(span_id):
        return None
    if parent_id is not None and _is_zero(parent_id):
        parent_id = None
    sampled = None if state is None else state != "0"
    return TraceContext(trace_id, span_id, parent_id, sampled, state == "d")


def _parse_multi(found: Mapping[str, str]) -> TraceContext | None:
    trace_id, span_id = found.get("x-b3-traceid"), found.get("x-b3-spanid")
    parent_id, state = found.get("x-b3-parentspanid"), found.get("x-b3-sampled")
    debug = found.get("x-b3-flags") == "1"
    if state is not None and state.lower() not in _STATES:
        return None
    sampled = True if debug else None if state is None else _STATES[state.lower()]
    if trace_id is None:  # without one there are no ids, but a decision may have been made: as Brave reads it
        return None if sampled is None else TraceContext(None, None, None, sampled, debug)
    if not _is_id(_TRACE_ID, trace_id) or not _is_id(_SPAN_ID, span_id):
        return None
    if parent_id is not None and not _SPAN_ID.fullmatch(parent_id):
        return None
    return TraceContext(
        trace_id, span_id, None if parent_id is None or _is_zero(parent_id) else parent_id, sampled, debug
    )


def _is_id(pattern: re.Pattern[str], value: str | None) -> bool:
    return value is not None and pattern.fullmatch(value) is not None and not _is_zero(value)


def _is_zero(value: str) -> bool:
    return not value.strip("0")


def _state(sampled: bool | None) -> str:
    return "" if sampled is None else "1" if sampled else "0"
