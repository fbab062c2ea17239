"""Write spans so that Zipkin takes them: one bad span would make it refuse the whole list.

Source: openzipkin/zipkin-api, zipkin2-api.yaml, and what Zipkin 3.6.1 was seen to refuse.
"""

import functools
import re
from collections.abc import Mapping
from typing import Any, Final

import orjson
from py_zipkin import Kind
from py_zipkin.encoding import Span
from py_zipkin.encoding._helpers import Endpoint

from kombu_zipkin.spans.plain import PlainWriter

MAX_SPAN_BYTES: Final = 64 * 1024
"""A larger span has its longest tag values cut, then is refused: very large ones kill a Zipkin server."""

_NAME_CHARACTERS: Final = 255  # the MySQL storage loses the whole list on a longer one
_NOT_IN_MYSQL = re.compile("[\U00010000-\U0010ffff\ud800-\udfff\u2028\u2029\x00-\x1f]")
_NOT_IN_A_VALUE = re.compile("[\ud800-\udfff\u2028\u2029]")
"""Lone surrogates are no text; beside another non-ASCII character Zipkin 3.6.1 answers the line separators with NULs
behind its JSON, and then nobody can read the trace."""

_V1_TRAP: Final = b'yAnnotations"'  # Zipkin takes a body with these bytes for its v1 format, and refuses it
_V1_ESCAPED: Final = b'yAnnotation\\u0073"'
_MAX_PORT: Final = 65535
MAX_US: Final = 2**63 - 1
_CUT_TAG_CHARACTERS: Final = 1024


class Unencodable(ValueError):
    """The span has no form that Zipkin would take; the message says why."""


class SpanTooLarge(ValueError):
    """The span stays above `MAX_SPAN_BYTES` even with its tag values cut."""


class SpanEncoder:
    """Writes spans as Zipkin v2 JSON, the same span always in the same bytes. Used by one thread at a time.

    Attributes:
        clipped: How many spans had tag values cut, to be no larger than `MAX_SPAN_BYTES`.
    """

    def __init__(self) -> None:
        self.clipped = 0
        self._plain = PlainWriter()

    def encode(self, span: Span) -> bytes:
        """Write one span.

        Raises:
            Unencodable: Its ids are not lower hex of the right length.
            SpanTooLarge: It stays too large with its tags cut.
        """
        text = self._plain.write(span)
        if text is not None and len(text) <= MAX_SPAN_BYTES:
            return text
        fields = _fields(span)
        self._plain.learn(span, fields)
        return self.encode_fields(fields)

    def encode_fields(self, fields: dict[str, Any]) -> bytes:
        """Write the cleaned fields of one span.

        Raises:
            SpanTooLarge: It stays too large with its tags cut.
        """
        text = dump_span(fields)
        if len(text) > MAX_SPAN_BYTES:
            text = _clipped(fields)
            self.clipped += 1
        return text


def encode(span: Span) -> bytes:
    """Write one span as Zipkin v2 JSON; `SpanEncoder` writes many faster.

    Raises:
        Unencodable: Its ids are not lower hex of the right length.
        SpanTooLarge: It stays too large with its tags cut.
    """
    return SpanEncoder().encode_fields(_fields(span))


def _clipped(fields: dict[str, Any]) -> bytes:
    """Write a span with its tag values cut."""
    tags = fields.get("tags") or {}
    text = dump_span({**fields, "tags": {key: value[:_CUT_TAG_CHARACTERS] for key, value in tags.items()}})
    if len(text) > MAX_SPAN_BYTES:
        raise SpanTooLarge(f"span of {len(text)} bytes: expected at most {MAX_SPAN_BYTES}")
    return text


def checked_ids(trace_id: object, span_id: object, parent_id: object) -> dict[str, str]:
    """Return the ids as the fields of a span; a bad parent is left out, as Zipkin would.

    Raises:
        Unencodable: The trace or span id is not lower hex of the right length, or all zeros.
    """
    if not isinstance(trace_id, str) or len(trace_id) not in (16, 32) or not _is_id(trace_id):
        raise Unencodable(f"trace id: expected 16 or 32 lower-hex characters, not all zeros, got {trace_id!r:.40}")
    if not isinstance(span_id, str) or len(span_id) != 16 or not _is_id(span_id):
        raise Unencodable(f"span id: expected 16 lower-hex characters, not all zeros, got {span_id!r:.40}")
    fields = {"traceId": trace_id, "id": span_id}
    if isinstance(parent_id, str) and len(parent_id) == 16 and _is_id(parent_id):
        fields["parentId"] = parent_id
    return fields


def clean_name(value: object) -> str:
    """Make a name, tag key or annotation that every storage takes."""
    text = value if isinstance(value, str) else str(value)
    if not text.isascii() or not text.isprintable():
        text = _NOT_IN_MYSQL.sub("?", text)
    return text[:_NAME_CHARACTERS]


def clean_value(value: object) -> str:
    """Make a tag value: text of any length, but no lone surrogates and line separators."""
    text = value if isinstance(value, str) else _text(value)
    return text if text.isascii() else _NOT_IN_A_VALUE.sub("?", text)


def _fields(span: Span) -> dict[str, Any]:
    fields: dict[str, Any] = checked_ids(span.trace_id, span.span_id, span.parent_id)
    if span.name:
        fields["name"] = clean_name(span.name)
    if span.kind is not Kind.LOCAL:
        fields["kind"] = span.kind.name
    timestamp = _microseconds(span.timestamp)
    if timestamp:
        fields["timestamp"] = timestamp
        if span.duration is not None:
            fields["duration"] = max(1, _microseconds(span.duration))
    if span.local_endpoint is not None and (local := _endpoint(span.local_endpoint)):
        fields["localEndpoint"] = local
    if span.remote_endpoint is not None and (remote := _endpoint(span.remote_endpoint)):
        fields["remoteEndpoint"] = remote
    if span.annotations:
        fields["annotations"] = _annotations(span.annotations)
    if span.tags:
        fields["tags"] = {clean_name(key): clean_value(value) for key, value in span.tags.items()}
    if span.debug:
        fields["debug"] = True
    if span.shared:
        fields["shared"] = True
    return fields


def _annotations(annotations: Mapping[str, float | None]) -> list[dict[str, Any]]:
    moments = ((_microseconds(at), clean_name(value)) for value, at in annotations.items())
    return [{"timestamp": at, "value": value} for at, value in moments if at and value]


def _is_id(text: str) -> bool:
    """Whether a text is lower hex and not all zeros; half of what a regular expression costs."""
    try:
        return bytes.fromhex(text).hex() == text and text.strip("0") != ""
    except ValueError:
        return False


@functools.lru_cache(maxsize=256)
def _endpoint(endpoint: Endpoint) -> dict[str, Any]:
    """Write an endpoint, empty for one without content. A process has few of them: ``benchmarks/tracing.py``."""
    written: dict[str, Any] = {}
    if endpoint.service_name:
        written["serviceName"] = clean_name(endpoint.service_name)
    if endpoint.ipv4:
        written["ipv4"] = endpoint.ipv4
    if endpoint.ipv6:
        written["ipv6"] = endpoint.ipv6
    if port := _port(endpoint.port):
        written["port"] = port
    return written


def _port(value: object) -> int:
    """Return a port, 0 for none. Endpoints are kept by value, so what is equal to a port is one: 80.0; True for 1."""
    try:
        port = int(value) if isinstance(value, (int, float)) else 0
    except (ValueError, OverflowError):
        return 0
    return port if port == value and 0 < port <= _MAX_PORT else 0


def _microseconds(seconds: float | None) -> int:
    """Turn seconds into whole microseconds; 0 for what is no time at all."""
    try:
        value = int(seconds * 1_000_000) if seconds is not None else 0
    except (TypeError, ValueError, OverflowError):
        return 0
    return value if 0 < value <= MAX_US else 0


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    try:
        return "" if value is None else str(value)
    except Exception:  # noqa: BLE001 - somebody's __str__ costs its own tag, not the span
        return f"<{type(value).__name__}>"


def dump_span(fields: Mapping[str, Any]) -> bytes:
    """Write the fields of a span as JSON, with the bytes escaped that Zipkin would take for its v1 format.

    Raises:
        TypeError: They cannot be written: nested too deeply, or not JSON.
    """
    text = orjson.dumps(fields)
    return text.replace(_V1_TRAP, _V1_ESCAPED) if _V1_TRAP in text else text
