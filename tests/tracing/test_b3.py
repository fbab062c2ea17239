"""Reading and writing B3 headers."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kombu_zipkin.tracing import TraceContext, extract, inject_http, inject_message

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "b3_vectors.json").read_text())["vectors"]

IDS = st.text("0123456789abcdef", min_size=16, max_size=16).filter(lambda text: bool(text.strip("0")))
CONTEXTS = st.builds(
    TraceContext,
    st.one_of(IDS, st.tuples(IDS, IDS).map("".join)),
    IDS,
    st.one_of(st.none(), IDS),
    st.sampled_from([True, False, None]),
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=80), st.binary(max_size=80), IDS,
    st.sampled_from(["0", "1", "d", "true", "", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1"]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner), max_leaves=5
)
NAMES = st.one_of(
    st.sampled_from(["b3", "B3", b"b3", "X-B3-TraceId", "x-b3-spanid", "X-B3-ParentSpanId"]),
    st.sampled_from(["X-B3-Sampled", "x-b3-flags", b"X-B3-Flags"]),
    st.text(max_size=20), st.binary(max_size=20), st.integers(), st.none(),
)  # fmt: skip


def as_expected(context: TraceContext | None) -> dict[str, Any]:
    """Write a context the way the vectors do."""
    if context is None:
        return {"result": "none", "trace_id": None, "span_id": None, "parent_span_id": None, "sampling": None}
    sampling = "debug" if context.debug else {True: "accept", False: "deny", None: "defer"}[context.sampled]
    result = "context" if context.trace_id is not None else "sampling_only"
    ids = {"trace_id": context.trace_id, "span_id": context.span_id, "parent_span_id": context.parent_id}
    return {"result": result, **ids, "sampling": sampling}


def without_outbound(expected: dict[str, Any]) -> dict[str, Any]:
    """Drop what is compared separately, and leading zeros of a 128-bit id."""
    return {name: value for name, value in expected.items() if name != "outbound"}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_every_vector_is_read_as_the_specification_says(vector: dict[str, Any]) -> None:
    """Given headers as a carrier holds them, the context is the expected one."""
    found = as_expected(extract(vector["headers"]))
    allowed = [without_outbound(vector["expect"])]
    if vector["level"] != "must":
        allowed += [without_outbound(other) for other in vector.get("also_ok", [])]
    if vector["level"] != "may":
        assert found in allowed


def read_exactly(vector: dict[str, Any]) -> bool:
    """Whether we read a vector as it expects, not in another way that it allows, and there is a context to write."""
    expect = vector["expect"]
    return bool(expect["outbound"]) and as_expected(extract(vector["headers"])) == without_outbound(expect)


@pytest.mark.parametrize("vector", [*filter(read_exactly, VECTORS)], ids=lambda vector: vector["name"])
def test_what_was_read_is_written_as_the_specification_says(vector: dict[str, Any]) -> None:
    """The same context for HTTP is the vector's multi headers, for a message the single one without parent."""
    context = extract(vector["headers"])
    assert context is not None
    assert inject_http(context) == vector["expect"]["outbound"]["multi"]
    assert inject_message(context) == {"b3": vector["expect"]["outbound"]["messaging"]}


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (b"463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-1", True),
        (["463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-1"], True),
        (None, False),
        ({"b3": "1"}, False),
        ([], False),
    ],
)
def test_a_message_header_may_hold_a_value_of_any_type(value: object, read: bool) -> None:
    """Bytes and lists are read, what cannot be a header is passed over."""
    assert (extract({"b3": value}) is not None) is read


def test_a_state_may_be_a_number_or_a_truth_value() -> None:
    """JSON carriers keep types."""
    ids = {"X-B3-TraceId": "463ac35c9f6413ad48485a3953bb6124", "X-B3-SpanId": "a2fb4a1d1a96d312"}
    states = [extract({**ids, "X-B3-Sampled": value}) for value in (1, True, 0, False)]
    assert [state.sampled if state else None for state in states] == [True, True, False, False]


def test_an_upper_case_id_restarts_the_trace() -> None:
    """Zipkin would refuse a whole batch for it."""
    assert extract({"b3": "463AC35C9F6413AD48485A3953BB6124-a2fb4a1d1a96d312-1"}) is None


@pytest.mark.parametrize("state", ["True", "TRUE", "true", "False"])
def test_a_state_in_words_is_read_in_any_case(state: str) -> None:
    """A Python sender writes ``str(True)``."""
    ids = {"X-B3-TraceId": "463ac35c9f6413ad48485a3953bb6124", "X-B3-SpanId": "a2fb4a1d1a96d312"}
    read = extract({**ids, "X-B3-Sampled": state})
    assert read is not None
    assert read.sampled is (state.lower() == "true")


def test_a_denial_without_a_trace_id_is_kept() -> None:
    """Whoever says no must not be traced because an id is missing; Brave reads it so too."""
    assert extract({"X-B3-SpanId": "a2fb4a1d1a96d312", "X-B3-Sampled": "0"}) == TraceContext(None, None, sampled=False)


@given(CONTEXTS, st.booleans())
def test_what_is_written_reads_back_the_same(context: TraceContext, debug: bool) -> None:
    """Over HTTP with the parent, in a message without it."""
    sent = TraceContext(context.trace_id, context.span_id, context.parent_id, True if debug else context.sampled, debug)
    assert extract(dict(inject_http(sent))) == sent
    assert extract(dict(inject_message(sent))) == TraceContext(sent.trace_id, sent.span_id, None, sent.sampled, debug)


@given(st.dictionaries(NAMES, VALUES, max_size=8))
def test_no_headers_whatever_raise_and_only_valid_ones_are_written(headers: dict[object, object]) -> None:
    """What is read from anything is nothing, or valid when written again."""
    context = extract(headers)
    if context is not None:
        again = extract(dict(inject_message(context)))
        expected = TraceContext(context.trace_id, context.span_id, None, context.sampled, context.debug)
        assert again == (expected if inject_message(context) else None)
