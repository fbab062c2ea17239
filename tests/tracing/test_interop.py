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

SPAN_IDS = st.integers(1, 2**64 - 1).map(lambda number: f"{number:016x}")
TRACE_IDS = st.one_of(SPAN_IDS, st.integers(1, 2**128 - 1).map(lambda number: f"{number:032x}"))
STATES = st.sampled_from([(True, False), (False, False), (True, True), (None, False)])
"""Sampled, not sampled, debug, deferred."""

CONTEXTS = st.builds(
    lambda trace_id, span_id, parent_id, state: TraceContext(trace_id, span_id, parent_id, *state),
    TRACE_IDS, SPAN_IDS, st.none() | SPAN_IDS, STATES,
)  # fmt: skip
PROPAGATORS = (B3MultiFormat(), B3SingleFormat())


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


def without_case(headers: dict[str, str]) -> dict[str, str]:
    """Return headers as OpenTelemetry's default getter finds them: by their names in lower case."""
    return {name.lower(): value for name, value in headers.items()}


def test_the_record_holds_every_format_state_parent_and_length_of_ids() -> None:
    """Three formats, four states, with parent and without, 64 and 128 bits: each once."""
    kinds = {
        (record["format"], record["sampled"], record["debug"], record["parent_id"] is None, len(record["trace_id"]))
        for record in RECORDED
    }
    assert len(kinds) == len(RECORDED) == 3 * 4 * 2 * 2


@pytest.mark.parametrize("record", [record for record in RECORDED if record["format"] == "MULTI"], ids=name_of)
def test_over_http_we_write_byte_for_byte_what_brave_writes(record: dict[str, Any]) -> None:
    """The same names and values, none more, none less."""
    assert inject_http(sent_by_brave(record)) == record["headers"]


@pytest.mark.parametrize(
    "record", [record for record in RECORDED if record["format"] == "SINGLE_NO_PARENT"], ids=name_of
)
def test_in_a_message_we_write_byte_for_byte_what_brave_writes(record: dict[str, Any]) -> None:
    """The single header; a parent that the context has is left out by both."""
    context = sent_by_brave({**record, "format": "any"})
    assert context.parent_id == record["parent_id"]
    assert inject_message(context) == record["headers"]


@pytest.mark.parametrize("record", RECORDED, ids=name_of)
def test_opentelemetry_reads_the_same_ids_from_brave_and_from_us(record: dict[str, Any]) -> None:
    """Brave's deferred child is read through its ids; the state is compared where both have a word for it."""
    context = sent_by_brave(record)
    for carrier in (without_case(record["headers"]), inject_message(context)):
        read = trace.get_current_span(B3SingleFormat().extract(carrier)).get_span_context()
        assert (read.trace_id, read.span_id) == (int(record["trace_id"], 16), int(record["span_id"], 16))
        if record["sampled"] is not None:
            assert bool(read.trace_flags & TraceFlags.SAMPLED) is record["sampled"]


@given(CONTEXTS)
def test_opentelemetry_reads_what_we_write(context: TraceContext) -> None:
    """By either propagator, over HTTP and from a message; debug implies sampled, for deferred it has no word."""
    for propagator in PROPAGATORS:
        for carrier in (without_case(inject_http(context)), inject_message(context)):
            read = trace.get_current_span(propagator.extract(carrier)).get_span_context()
            assert read.trace_id == int(context.trace_id or "", 16)
            assert f"{read.span_id:016x}" == context.span_id
            if context.sampled is not None:
                assert bool(read.trace_flags & TraceFlags.SAMPLED) is context.sampled


@given(TRACE_IDS, SPAN_IDS, st.booleans())
def test_we_read_what_opentelemetry_writes(trace_id: str, span_id: str, sampled: bool) -> None:
    """In both of its formats; it writes 32 characters always, also for an id of 64 bits, and never a parent."""
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    span = NonRecordingSpan(SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=flags))
    for propagator in PROPAGATORS:
        carrier: dict[str, str] = {}
        propagator.inject(carrier, trace.set_span_in_context(span))
        assert extract(carrier) == TraceContext(trace_id.zfill(32), span_id, None, sampled)


@given(CONTEXTS)
def test_a_trace_keeps_ids_and_decision_through_us_opentelemetry_and_us_again(context: TraceContext) -> None:
    """A service of theirs between two of ours, in every pairing of the formats; that it was debug is lost."""
    for carrier in (without_case(inject_http(context)), inject_message(context)):
        for propagator in PROPAGATORS:
            sent: dict[str, str] = {}
            propagator.inject(sent, propagator.extract(carrier))
            read = extract(sent)
            assert read is not None
            assert (read.trace_id, read.span_id) == ((context.trace_id or "").zfill(32), context.span_id)
            if context.sampled is not None:
                assert (read.sampled, read.debug) == (context.sampled, False)
