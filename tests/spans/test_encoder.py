"""What is written, Zipkin takes."""

from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from py_zipkin.encoding import create_endpoint

from kombu_zipkin.spans import compress, encode, join
from kombu_zipkin.spans.encoder import MAX_SPAN_BYTES, SpanEncoder, SpanTooLarge, Unencodable
from kombu_zipkin.spans.foreign import mend, parse_list
from kombu_zipkin.spans.plain import PlainWriter
from kombu_zipkin.tracing import Kind
from tests.servers import ZipkinServer, wait_until
from tests.spans.making import make_span

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.lists(st.integers())
)
TEXTS = st.text(st.characters(), max_size=300)
SPANS = st.builds(
    make_span,
    name=TEXTS,
    parent_id=st.sampled_from([None, "", "zz", "0000000000000000", "a2fb4a1d1a96d312"]),
    kind=st.sampled_from(list(Kind)),
    timestamp=st.one_of(st.none(), st.floats()),
    duration=st.one_of(st.none(), st.floats()),
    local_endpoint=st.builds(create_endpoint, st.integers(-1, 99999), TEXTS, st.sampled_from(["10.0.0.1", "::1", "x"])),
    debug=st.booleans(),
    shared=st.booleans(),
    annotations=st.dictionaries(TEXTS, st.one_of(st.none(), st.floats()), max_size=3),
    tags=st.dictionaries(TEXTS, VALUES, max_size=4),
)


def fields(**changes: Any) -> dict[str, Any]:
    """Return the JSON of a span with some attributes changed."""
    return dict(orjson.loads(encode(make_span(**changes))))


def test_a_span_is_written_as_zipkin_v2_json() -> None:
    """Whole microseconds, no empty fields, no kind for local work."""
    written = fields(trace_id="463ac35c9f6413ad48485a3953bb6124", span_id="a2fb4a1d1a96d312", tags={"job.id": "7"})
    assert written == {
        "traceId": "463ac35c9f6413ad48485a3953bb6124",
        "id": "a2fb4a1d1a96d312",
        "name": "do_stuff",
        "timestamp": 1_700_000_000_500_000,
        "duration": 250_000,
        "localEndpoint": {"serviceName": "shop", "ipv4": "10.0.0.1", "port": 80},
        "tags": {"job.id": "7"},
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("trace_id", "463AC35C9F6413AD48485A3953BB6124"),
        ("trace_id", "0" * 32),
        ("trace_id", "abc"),
        ("trace_id", None),
        ("span_id", "not-hex-not-hex!"),
        ("span_id", "0" * 16),
        ("span_id", "a2fb4a1d1a96d312\n"),
    ],
)
def test_a_span_with_a_bad_id_is_refused(field: str, value: object) -> None:
    """Zipkin would refuse the whole batch for it."""
    changes: dict[str, Any] = {field: value}
    with pytest.raises(Unencodable, match=field.split("_")[0]):
        encode(make_span(**changes))


def test_a_negative_or_missing_duration_is_mended() -> None:
    """A clock step makes the one, a foreign span the other."""
    assert fields(duration=-1.0)["duration"] == 1
    assert "duration" not in fields(duration=None)


def test_names_fit_every_storage() -> None:
    """MySQL loses a whole batch on a name over 255 characters, or with a 4-byte character."""
    assert fields(name="x" * 300)["name"] == "x" * 255
    assert fields(name="tada \U0001f389")["name"] == "tada ?"


def test_the_bytes_that_zipkin_takes_for_its_old_format_are_escaped() -> None:
    """A body with ``yAnnotations"`` anywhere would be refused."""
    written = encode(make_span(name="listMyAnnotations"))
    assert b'yAnnotations"' not in written
    assert orjson.loads(written)["name"] == "listMyAnnotations"


def test_a_span_that_is_too_large_is_cut_then_refused() -> None:
    """Very large spans kill a Zipkin server."""
    cut = encode(make_span(tags={"body": "x" * MAX_SPAN_BYTES}))
    assert len(cut) < 2000
    with pytest.raises(SpanTooLarge, match="expected at most"):
        encode(make_span(tags={str(number): "x" * 1000 for number in range(100)}))


def test_a_list_of_py_zipkins_is_mended_span_by_span() -> None:
    """What it lets through, Zipkin would refuse."""
    ids = {"traceId": "463ac35c9f6413ad48485a3953bb6124", "id": "a2fb4a1d1a96d312"}
    payload = orjson.dumps([{**ids, "tags": {"n": 1, "b": True}, "duration": -5, "kind": "LOCAL"}]).decode()
    written = mend(parse_list(payload)[0])
    assert written == {**ids, "tags": {"n": "1", "b": "true"}}


@pytest.mark.parametrize("payload", ["{}", "not json", b"\x0a\x10", '"text"'])
def test_what_is_no_list_of_spans_is_refused(payload: bytes | str) -> None:
    """Such as protobuf."""
    with pytest.raises(Unencodable, match="expected a JSON list"):
        parse_list(payload)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(span=SPANS)
def test_a_span_made_of_anything_is_taken_by_zipkin(span: Any, zipkin: ZipkinServer) -> None:
    """202, and the storage has it under its ids."""
    assert zipkin.api.post(join([compress(encode(span))])).status == 202
    wait_until(lambda: zipkin.api.trace(span.trace_id), f"the span of trace {span.trace_id} to be stored")


ENCODER = SpanEncoder()  # of all examples: what it learnt from one must not show in another


@settings(max_examples=500, deadline=None)
@given(span=SPANS)
def test_the_short_way_writes_the_same_bytes(span: Any) -> None:
    """Before and after the parts of the span are known."""
    expected = encode(span)
    assert [ENCODER.encode(span) for _ in range(2)] == [expected] * 2


@pytest.mark.parametrize("port", [80.0, 80.5, True, float("nan"), float("inf"), "80", -1, 65536, None])
def test_a_port_of_another_type_is_written_the_same_both_ways(port: Any) -> None:
    """Endpoints are kept by value, and 80.0 is equal to 80."""
    encoder = SpanEncoder()
    for usual in (80, 1):
        encoder.encode(make_span(local_endpoint=create_endpoint(usual, "shop", "10.0.0.1")))
    odd = make_span(local_endpoint=create_endpoint(80, "shop", "10.0.0.1")._replace(port=port))
    assert encoder.encode(odd) == encode(odd)
    assert type(orjson.loads(encode(odd))["localEndpoint"].get("port", 0)) is int


def test_ordinary_spans_take_the_short_way() -> None:
    """With tags, annotations, a parent and endpoints; their like were seen before."""
    writer = PlainWriter()
    for number in range(3):
        span = make_span(
            span_id=f"{number + 1:016x}",
            trace_id="463ac35c9f6413ad48485a3953bb6124",
            parent_id="a2fb4a1d1a96d312",
            kind=Kind.CONSUMER,
            remote_endpoint=create_endpoint(0, "redis", "10.0.0.2"),
            annotations={"received": 1_700_000_000.25},
            tags={"job.id": f"{number}", "job.task": "charge"},
        )
        assert (writer.write(span) == encode(span)) is bool(number)
        writer.learn(span, orjson.loads(encode(span)))


def test_a_process_with_endless_names_does_not_grow() -> None:
    """What is kept is bounded."""
    encoder = SpanEncoder()
    for number in range(10_000):
        encoder.encode(make_span(f"job {number}", tags={f"key {number}": "x"}))
    kept = sum(len(each) for each in vars(encoder._plain).values())
    assert kept < 3000


def test_line_separators_do_not_make_a_trace_unreadable(zipkin: ZipkinServer) -> None:
    """Zipkin answers them beside other non-ASCII text with NULs behind its JSON."""
    span = make_span("é\u2028", tags={"é\u2029": "é\u2028\u2029"}, annotations={"é\u2028": 1_700_000_000.0})
    assert zipkin.api.post(join([compress(encode(span))])).status == 202
    assert zipkin.wait_for_trace(span.trace_id, 1)
