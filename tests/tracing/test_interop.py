"""Traces that pass between us, Brave and OpenTelemetry."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.propagators.b3 import B3MultiFormat, B3SingleFormat
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from kombu_zipkin.tracing import TraceContext, extract, inject_http, inject_message

RECORDED: list[dict[str, Any]] = json.loads((Path(__file__).parent / "brave" / "recorded.json").read_text())
"""What Brave 6.3.0 wrote; `Record.java` beside it made it."""

IDS = st.integers(1, 2**128 - 1).map(lambda number: f"{number:032x}")
SPAN_IDS = st.integers(1, 2**64 - 1).map(lambda number: f"{number:016x}")


def sent_by_brave(record: dict[str, Any]) -> TraceContext:
    """Return the context that Brave was given, as far as the format carries it."""
    parent = None if record["format"] == "SINGLE_NO_PARENT" else record["parent_id"]
    return TraceContext(record["trace_id"], record["span_id"], parent, record["sampled"], record["debug"])


def name_of(record: dict[str, Any]) -> str:
    """Return what distinguishes a record."""
    return "-".join(str(record[part]) for part in ("format", "trace_id", "parent_id", "sampled", "debug"))


@pytest.mark.parametrize("record", RECORDED, ids=name_of)
def test_what_brave_wrote_is_read_exactly(record: dict[str, Any]) -> None:
    """Every format, state and length of ids."""
    assert extract(record["headers"]) == sent_by_brave(record)


@pytest.mark.parametrize("record", RECORDED, ids=name_of)
def test_we_write_what_brave_writes(record: dict[str, Any]) -> None:
    """Byte for byte, where the format is ours too: multi over HTTP, single without parent in messages."""
    context = sent_by_brave({**record, "format": "any"})
    ours = {"MULTI": inject_http(context), "SINGLE_NO_PARENT": inject_message(context)}
    assert ours.get(record["format"], record["headers"]) == record["headers"]


@given(IDS, SPAN_IDS, st.booleans(), st.booleans())
def test_opentelemetry_reads_what_we_write(trace_id: str, span_id: str, sampled: bool, debug: bool) -> None:
    """By HTTP, whose names have no case, and by message; debug implies sampled."""
    context = TraceContext(trace_id, span_id, None, sampled or debug, debug)
    http = {name.lower(): value for name, value in inject_http(context).items()}
    for propagator, carrier in ((B3MultiFormat(), http), (B3SingleFormat(), inject_message(context))):
        read = trace.get_current_span(propagator.extract(carrier)).get_span_context()
        assert (f"{read.trace_id:032x}", f"{read.span_id:016x}") == (trace_id, span_id)
        assert bool(read.trace_flags & TraceFlags.SAMPLED) is (sampled or debug)


@given(IDS, SPAN_IDS, st.booleans())
def test_we_read_what_opentelemetry_writes(trace_id: str, span_id: str, sampled: bool) -> None:
    """In both of its formats."""
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    span = NonRecordingSpan(SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=flags))
    for propagator in (B3MultiFormat(), B3SingleFormat()):
        carrier: dict[str, str] = {}
        propagator.inject(carrier, trace.set_span_in_context(span))
        read = extract(carrier)
        assert read is not None
        assert (read.trace_id, read.span_id, read.sampled) == (trace_id, span_id, sampled)
