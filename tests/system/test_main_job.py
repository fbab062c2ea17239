"""The main job: post, and see one trace cross two processes."""

from typing import Any

import pytest

from kombu_zipkin.cli.verify import check_shape
from kombu_zipkin.zipkin import TraceTree
from tests.servers import Programs, ZipkinServer


def outline(tree: TraceTree) -> list[tuple[int, str, str, str]]:
    """Return depth, name, kind and service of every span."""
    return [(depth, node.name, node.kind, node.service) for depth, node in tree.walk()]


def test_the_demo_is_one_trace_over_both_processes(system: Programs, zipkin: ZipkinServer) -> None:
    """Twice: two traces, each nested rightly, none sharing a span id."""
    traces = [system.get("/demo")[1]["trace_id"] for _ in range(2)]
    assert traces[0] != traces[1]
    for trace_id in traces:
        tree = zipkin.wait_for_trace(trace_id, 6)
        assert outline(tree) == [
            (0, "index", "SERVER", "webapp"),
            (1, "do_stuff", "", "webapp"),
            (1, "publish demo", "PRODUCER", "webapp"),
            (2, "wait in jobs", "", "redis"),
            (2, "index_service1", "CONSUMER", "worker"),
            (3, "service1_do_stuff", "", "worker"),
        ]
        spans = [node.span for _, node in tree.walk()]
        assert {span["traceId"] for span in spans} == {trace_id}
        assert len({span["id"] for span in spans}) == 6
        assert not any(span.get("shared") for span in spans)
        assert [check.fault for check in check_shape(tree)] == [None] * 8


def test_zipkins_services_are_exactly_webapp_redis_worker(system: Programs, zipkin: ZipkinServer) -> None:
    """No edge that is not there, no error that was not."""
    zipkin.wait_for_trace(system.get("/demo")[1]["trace_id"], 6)
    ours = {edge for edge in zipkin.edges() if {"webapp", "worker"} & set(edge)}
    assert {("webapp", "redis"), ("redis", "worker")} <= ours
    assert ours <= {("webapp", "redis"), ("redis", "worker"), ("worker", "redis"), ("worker", "echo")}


@pytest.mark.parametrize(
    ("task", "arguments", "edges", "errors"),
    [
        ("do_stuff", {"seconds": 0.3}, {("webapp", "redis"): 1, ("redis", "worker"): 1}, 0),
        ("fail", {}, {("webapp", "redis"): 1, ("redis", "worker"): 1}, 1),
        ("flaky", {"failures": 2}, {("webapp", "redis"): 1, ("redis", "worker"): 3}, 2),
        ("fan_out", {"n": 2}, {("webapp", "redis"): 1, ("redis", "worker"): 3, ("worker", "redis"): 2}, 0),
        ("fetch", None, {("webapp", "redis"): 1, ("redis", "worker"): 1, ("worker", "echo"): 1}, 0),
    ],
)
def test_every_kind_of_job_draws_its_edges_and_no_others(
    system: Programs,
    zipkin: ZipkinServer,
    task: str,
    arguments: dict[str, Any] | None,
    edges: dict[tuple[str, str], int],
    errors: int,
) -> None:
    """Counted as what the job adds to Zipkin's own dependency answer."""
    before = zipkin.edges()
    given = {"url": f"http://127.0.0.1:{system.worker_port}/echo"} if arguments is None else arguments
    _, posted = system.post("/api/jobs", {"task": task, "arguments": given})
    spans = {"do_stuff": 5, "fail": 4, "flaky": 10, "fan_out": 12, "fetch": 6}[task]
    zipkin.wait_for_trace(posted["trace_id"], spans)
    after = zipkin.edges()
    added = {edge: after[edge][0] - before.get(edge, (0, 0))[0] for edge in after}
    assert {edge: calls for edge, calls in added.items() if calls} == edges
    assert sum(each[1] for each in after.values()) - sum(each[1] for each in before.values()) == errors


def test_a_user_s_own_tasks_run_and_are_offered(system: Programs, zipkin: ZipkinServer, namespace: str) -> None:
    """``kombu-zipkin worker their.module``, without touching the web app."""
    own = Programs({**system.environment, "JOBS_NAMESPACE": namespace, "SPANS_STREAM": "system"})
    own.start_worker("tests.system.shop")
    own.start_producer()
    names = [each["name"] for each in own.get("/api/tasks")[1]["tasks"]]
    _, posted = own.post("/api/jobs", {"task": "charge", "arguments": {"order": 7}})
    tree = zipkin.wait_for_trace(posted["trace_id"], 4)
    own.close()
    assert names == ["charge"]
    assert tree.find("process charge") is not None
