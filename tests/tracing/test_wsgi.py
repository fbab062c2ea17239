"""A SERVER span around every request."""

from collections.abc import Callable, Iterator
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from flask import Flask, request
from flask.typing import ResponseReturnValue
from werkzeug.test import Client

from kombu_zipkin.tracing import (
    NEVER,
    SPAN_KEY,
    Kind,
    RuleSampler,
    SpanRecorder,
    Tracer,
    TracingMiddleware,
    current_trace,
    http_call,
)


@pytest.fixture
def recorder() -> SpanRecorder:
    """Where the spans go."""
    return SpanRecorder()


@pytest.fixture
def client(recorder: SpanRecorder) -> Client:
    """A browser for the application below."""
    app = Flask("shop")
    app.config["PROPAGATE_EXCEPTIONS"] = True
    rules: dict[str, Callable[..., ResponseReturnValue]] = {
        "/jobs/<job_id>": job,
        "/named": named,
        "/broken": broken,
        "/raises": raises,
        "/stream": stream,
        "/health": healthy,
    }
    for rule, view in rules.items():
        app.add_url_rule(rule, view.__name__, view)
    tracer = Tracer("shop", recorder, host="10.0.0.1")
    return Client(TracingMiddleware(app.wsgi_app, tracer, ignored_paths=["/health", "GET /static/*"]))


def job(job_id: str) -> str:
    """Answer with the current trace id."""
    context = current_trace()
    return str(context.trace_id) if context else ""


def named() -> str:
    """Give the span a name of its own."""
    request.environ[SPAN_KEY].name = "index"
    return ""


def broken() -> tuple[str, int]:
    """Fail in good order."""
    return "", 500


def raises() -> str:
    """Fail in disorder."""
    raise RuntimeError("in the view")


def stream() -> Iterator[str]:
    """Answer piece by piece, inside the span."""
    for _ in range(2):
        context = current_trace()
        yield f"{context.span_id if context else '-'};"


def healthy() -> str:
    """Not worth a trace."""
    return str(current_trace())


def test_the_span_is_named_by_method_and_route(client: Client, recorder: SpanRecorder) -> None:
    """The path may hold ids; it is a tag."""
    response = client.get("/jobs/42", buffered=True)
    span = recorder.named("get /jobs/<job_id>")
    assert span.kind is Kind.SERVER
    assert span.tags["http.path"] == "/jobs/42"
    assert span.tags["http.status_code"] == "200"
    assert response.headers["X-B3-TraceId"] == span.trace_id == response.get_data(as_text=True)


def test_an_unknown_route_is_named_by_its_method_alone(client: Client, recorder: SpanRecorder) -> None:
    """A scanner must not fill Zipkin's list of names."""
    client.get("/wp-admin.php", buffered=True)
    assert recorder.named("get").tags["http.status_code"] == "404"


def test_a_view_may_name_the_span(client: Client, recorder: SpanRecorder) -> None:
    """As the 2017 demo's ``index`` does."""
    client.get("/named", buffered=True)
    assert recorder.named("index").tags["http.route"] == "/named"


@pytest.mark.parametrize(
    "headers",
    [
        {"b3": "463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-1"},
        {"X-B3-TraceId": "463ac35c9f6413ad48485a3953bb6124", "X-B3-SpanId": "a2fb4a1d1a96d312", "X-B3-Sampled": "1"},
    ],
)
def test_an_incoming_trace_is_continued(client: Client, recorder: SpanRecorder, headers: dict[str, str]) -> None:
    """By the single header or the multi ones."""
    client.get("/named", headers=headers, buffered=True)
    span = recorder.named("index")
    assert (span.trace_id, span.parent_id) == ("463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312")


def test_a_request_that_is_not_to_be_sampled_is_not_reported(client: Client, recorder: SpanRecorder) -> None:
    """``b3: 0`` holds for what begins here."""
    client.get("/named", headers={"b3": "0"}, buffered=True)
    assert recorder.spans == []


def test_a_server_error_marks_the_span(client: Client, recorder: SpanRecorder) -> None:
    """With the status."""
    client.get("/broken", buffered=True)
    assert recorder.named("get /broken").tags["error"] == "500"


def test_an_exception_marks_the_span_and_passes_through(client: Client, recorder: SpanRecorder) -> None:
    """And the next request is traced as if nothing had been."""
    with pytest.raises(RuntimeError, match="in the view"):
        client.get("/raises", buffered=True)
    assert recorder.named("get").tags["error"] == "RuntimeError: in the view"
    client.get("/named", buffered=True)
    assert recorder.named("index").parent_id is None


def test_the_span_lasts_until_the_last_byte(client: Client, recorder: SpanRecorder) -> None:
    """A streamed response is made inside it."""
    with client.get("/stream") as response:
        text = response.get_data(as_text=True)
    span = recorder.named("get /stream")
    assert text == f"{span.span_id};" * 2


def test_a_body_that_is_closed_early_ends_the_span_without_error(client: Client, recorder: SpanRecorder) -> None:
    """A client that goes away is no failure of ours."""
    response = client.get("/stream", buffered=False)
    next(iter(response.response))
    response.close()
    assert "error" not in recorder.named("get /stream").tags


@pytest.mark.parametrize("path", ["/health", "/static/style.css"])
def test_ignored_requests_are_not_traced(client: Client, recorder: SpanRecorder, path: str) -> None:
    """A health check must not fill Zipkin."""
    client.get(path, buffered=True)
    assert recorder.spans == []


def test_strangers_are_not_gone_by(recorder: SpanRecorder) -> None:
    """At the edge their ids and their debug flag are passed over."""
    tracer = Tracer("shop", recorder, sampler=NEVER, host="10.0.0.1")
    app = Client(TracingMiddleware(_hello, tracer, trusted=False))
    trace_id = "463ac35c9f6413ad48485a3953bb6124"
    answer = app.get("/", headers={"b3": f"{trace_id}-a2fb4a1d1a96d312-d"}, buffered=True)
    assert recorder.spans == []
    assert answer.headers["X-B3-TraceId"] != trace_id


def test_the_sampler_s_rules_go_by_method_and_path(recorder: SpanRecorder) -> None:
    """The route is known only later."""
    sampler = RuleSampler({"GET /quiet*": NEVER})
    app = Client(TracingMiddleware(_hello, Tracer("shop", recorder, sampler=sampler, host="10.0.0.1")))
    for path in ("/quiet/1", "/loud"):
        app.get(path, buffered=True)
    assert [span.tags["http.path"] for span in recorder.spans] == ["/loud"]


@pytest.mark.parametrize(("status", "error"), [(200, None), (302, None), (404, "404"), (503, "503")])
def test_an_outgoing_call_is_a_client_span_with_multi_headers(
    recorder: SpanRecorder, status: int, error: str | None
) -> None:
    """Named by its method; credentials and query stay out of the tags."""
    tracer = Tracer("shop", recorder, host="10.0.0.1")
    with tracer.root("buy"), http_call(tracer, "GET", "http://user:secret@pay.example:80/cards/7?key=1") as call:
        call.answered(status)
    span = recorder.named("get")
    assert (span.kind, span.tags.get("error")) == (Kind.CLIENT, error)
    assert span.remote_endpoint is not None
    assert span.remote_endpoint.service_name == "pay.example"
    assert span.tags["http.path"] == "/cards/7"
    assert "secret" not in str(span.tags)
    assert call.headers == {
        "X-B3-TraceId": span.trace_id, "X-B3-SpanId": span.span_id,
        "X-B3-ParentSpanId": span.parent_id, "X-B3-Sampled": "1",
    }  # fmt: skip


def _hello(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", [])
    yield b"hello"


def test_a_body_of_known_length_keeps_it(recorder: SpanRecorder) -> None:
    """A server may ask for it, to write a Content-Length."""

    def listed(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [])
        return [b"hello"]

    traced = TracingMiddleware(listed, Tracer("shop", recorder, host="10.0.0.1"))
    body = traced({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, lambda *args: lambda data: None)
    assert len(body) == 1  # type: ignore[arg-type]
    assert list(body) == [b"hello"]
    body.close()  # type: ignore[attr-defined]


def test_a_path_is_tagged_as_a_person_reads_it(client: Client, recorder: SpanRecorder) -> None:
    """WSGI hands it over as Latin-1."""
    client.get("/jobs/café", buffered=True)
    assert recorder.named("get /jobs/<job_id>").tags["http.path"] == "/jobs/café"
