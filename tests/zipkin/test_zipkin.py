"""Zipkin's API, and a trace as a tree."""

import socket
from typing import Any

import pytest

from kombu_zipkin.errors import ConfigurationError, ZipkinRefused, ZipkinUnavailable
from kombu_zipkin.spans import compress, encode, join
from kombu_zipkin.tracing import new_trace_id
from kombu_zipkin.zipkin import Timeline, TraceTree, ZipkinClient, ZipkinLinks
from tests.servers import ZipkinServer
from tests.spans.making import make_spans


def test_what_is_posted_is_read_back(zipkin: ZipkinServer) -> None:
    """202, then the trace."""
    spans = make_spans(3)
    assert zipkin.api.post(join([compress(b",".join(map(encode, spans)))])).status == 202
    tree = zipkin.wait_for_trace(spans[0].trace_id, 3)
    assert {node.span["id"] for _, node in tree.walk()} == {span.span_id for span in spans}
    assert zipkin.api.health() is None


def test_an_unknown_trace_is_none(zipkin: ZipkinServer) -> None:
    """It may come yet."""
    assert zipkin.api.trace(new_trace_id()) is None


@pytest.mark.parametrize("trace_id", ["", "abc", "A" * 32, "../../x", "a" * 33])
def test_a_malformed_trace_id_is_refused_here(zipkin: ZipkinServer, trace_id: str) -> None:
    """It is somebody's input, and goes into an address."""
    with pytest.raises(ZipkinRefused, match="expected 16 or 32 lower-hex characters"):
        zipkin.api.trace(trace_id)


def test_a_bad_list_is_answered_not_raised(zipkin: ZipkinServer) -> None:
    """The relay judges answers."""
    answer = zipkin.api.post(join([compress(b'{"id":"no"}')]))
    assert answer.status == 400
    assert answer.text


def test_nobody_there_is_unavailable() -> None:
    """With the address and what went wrong, without the names of a library's parts."""
    refused = r"^POST http://127\.0\.0\.1:1: Failed to establish a new connection: \[Errno 111\] Connection refused$"
    with pytest.raises(ZipkinUnavailable, match=refused):
        ZipkinClient("http://127.0.0.1:1").post(b"")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(ZipkinUnavailable, match=rf"^GET http://127\.0\.0\.1:{port}: no answer within 0\.2 s$"):
            ZipkinClient(f"http://127.0.0.1:{port}", timeout=0.2).health()


@pytest.mark.parametrize(
    "url", ["zipkin:9411", "ftp://zipkin", "", "http://", "http://x:y", "http://[x", "http://x:99999"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """When the client is made."""
    with pytest.raises(ConfigurationError, match="expected http://host:port"):
        ZipkinClient(url)


def test_links_lead_to_zipkins_pages() -> None:
    """As a browser reaches them."""
    links = ZipkinLinks("http://zipkin.example/")
    assert links.trace("abc") == "http://zipkin.example/zipkin/traces/abc"
    assert links.dependencies().startswith("http://zipkin.example/zipkin/dependency?startTime=")


def span(span_id: str, parent: str | None, at: int, **more: Any) -> dict[str, Any]:
    """Return a span as Zipkin's API writes it."""
    return {
        "id": span_id,
        "name": span_id,
        "timestamp": at,
        "duration": 10,
        **({"parentId": parent} if parent else {}),
        **more,
    }


def test_a_tree_is_in_the_order_of_time_and_keeps_orphans() -> None:
    """A span whose parent has not come yet is a root for now."""
    spans = [span("c", "a", 30), span("b", "a", 20, tags={"error": ""}), span("a", None, 10), span("x", "gone", 15)]
    tree = TraceTree.of(spans)
    assert [(depth, node.name) for depth, node in tree.walk()] == [(0, "a"), (1, "b"), (1, "c"), (0, "x")]
    assert (tree.started_us, tree.ended_us) == (10, 40)
    found = tree.find("b")
    assert found is not None
    assert found.error == ""
    assert tree.find("nobody") is None


def test_a_tree_survives_a_span_that_is_its_own_parent() -> None:
    """Somebody else's mistake."""
    assert [node.name for _, node in TraceTree.of([span("a", "a", 1)]).walk()] == ["a"]
    assert TraceTree.of([]).ended_us == 0


def test_a_chain_deeper_than_the_stack_is_walked() -> None:
    """Jobs that post jobs may go on for long."""
    spans = [span(str(number), str(number - 1) if number else None, number + 1) for number in range(3000)]
    assert [depth for depth, _ in TraceTree.of(spans).walk()] == list(range(3000))


def test_a_timeline_places_bars_as_shares_of_the_whole() -> None:
    """Services are numbered as they come; who has no timestamp stands at the beginning."""
    a, worker = {"localEndpoint": {"serviceName": "web"}}, {"localEndpoint": {"serviceName": "worker"}}
    spans = [
        span("a", None, 1000, **a),
        span("b", "a", 1030, **worker),
        span("c", "a", 0, **a),
        span("x", "gone", 1015),
    ]
    line = Timeline.of(TraceTree.of(spans))
    assert [(bar.node.name, bar.depth, bar.left, bar.width) for bar in line.bars] == [
        ("a", 0, 0.0, 0.25), ("c", 1, 0.0, 0.25), ("b", 1, 0.75, 0.25), ("x", 0, 0.375, 0.25),
    ]  # fmt: skip
    assert line.services == {"web": 0, "worker": 1, "": 2}
    assert (line.took_ms, line.bars[2].starts_ms, line.bars[2].took_ms) == (0.04, 0.03, 0.01)
    assert Timeline.of(TraceTree.of([])).bars == []


def test_a_tree_names_the_roots_whose_parent_is_missing() -> None:
    """And knows which spans are waits."""
    tree = TraceTree.of([span("a", None, 10), span("x", "gone", 15), {**span("w", "a", 11), "name": "wait in jobs"}])
    assert [node.name for node in tree.orphans] == ["x"]
    assert [node.name for _, node in tree.walk() if node.is_wait] == ["wait in jobs"]
