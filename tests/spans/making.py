"""Spans for tests."""

from typing import Any

import orjson
import redis
from py_zipkin.encoding import create_endpoint

from kombu_zipkin.spans import StreamKeys, expand
from kombu_zipkin.spans.entry import parse_fields
from kombu_zipkin.tracing import Kind, Span, new_span_id, new_trace_id


def make_span(name: str = "do_stuff", **changes: Any) -> Span:
    """Return a good span with some attributes changed."""
    fields: dict[str, Any] = {
        "trace_id": new_trace_id(),
        "name": name,
        "parent_id": None,
        "span_id": new_span_id(),
        "kind": Kind.LOCAL,
        "timestamp": 1_700_000_000.5,
        "duration": 0.25,
        "local_endpoint": create_endpoint(80, "shop", "10.0.0.1"),
    }
    return Span(**{**fields, **changes})


def make_spans(count: int, name: str = "do_stuff") -> list[Span]:
    """Return so many spans of one trace."""
    trace_id = new_trace_id()
    return [make_span(f"{name} {number}", trace_id=trace_id) for number in range(count)]


def spans_in_stream(url: str, stream: str) -> list[dict[str, Any]]:
    """Return every span that lies in a stream, opened and parsed."""
    with redis.Redis.from_url(url) as client:
        entries: Any = client.xrange(StreamKeys(stream).stream)
    return [span for _, fields in entries for span in orjson.loads(b"[" + expand(parse_fields(fields).piece) + b"]")]
