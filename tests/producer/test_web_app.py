"""The web app: its API, its pages, and what it says when something is wrong. On the running system."""

import json
import urllib.request
from typing import Any

import pytest

from tests.servers import Programs, RedisServer, ZipkinServer, wait_until
from tests.servers.programs import request


def finished(system: Programs, job_id: str) -> Any:
    """Wait for a job's end, and return what the API says of it."""

    def ended() -> Any:
        status, job = system.get(f"/api/jobs/{job_id}")
        return job if status == 200 and job["state"] in ("succeeded", "dead_lettered") else None

    return wait_until(ended, f"job {job_id} to end")


def test_a_job_posted_by_the_api_is_accepted_and_runs(system: Programs, zipkin: ZipkinServer) -> None:
    """202 with id, trace id, state and links; later the whole record."""
    status, posted = system.post("/api/jobs", {"task": "do_stuff", "arguments": {"seconds": 0.01}})
    assert status == 202
    assert sorted(posted) == ["id", "links", "state", "trace_id"]
    assert posted["state"] == "queued"
    assert posted["links"] == {
        "self": f"/api/jobs/{posted['id']}",
        "trace": f"{zipkin.url}/zipkin/traces/{posted['trace_id']}",
    }
    job = finished(system, posted["id"])
    assert (job["state"], job["result"], job["attempts"]) == ("succeeded", "did stuff for 0.01 s", 1)
    assert posted["id"] in [each["id"] for each in system.get("/api/jobs?limit=5")[1]["jobs"]]


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({"task": "no_such"}, 400, "no worker has announced it; known tasks: demo, do_stuff"),
        ({"task": "fetch"}, 400, "fetch: url is missing; it takes url (text)"),
        ({"task": "demo", "arguments": {"x": 1}}, 400, "demo: x is not an argument of it; it takes no arguments"),
        ({"task": "demo", "arguments": {"job_id": "x"}}, 400, "job_id is not an argument of it"),
        ({"task": "fan_out", "arguments": {"n": "3"}}, 400, "fan_out: n: input should be a valid integer, got '3'"),
        ({"task": 7}, 400, "body: task: input should be a valid string, got 7"),
        ({"task": "demo", "arguments": []}, 400, "body: arguments: input should be a valid dictionary, got []"),
        ({}, 400, "body: task is missing; expected task, arguments, delay_ms, id"),
        ({"task": "demo", "delay_ms": True}, 400, "body: delay_ms: input should be a valid integer, got True"),
        ({"task": "demo", "when": "now"}, 400, "'when' is not a member of it; expected task, arguments, delay_ms, id"),
        ([1], 400, "body: expected an object with task, arguments, delay_ms, id, got list"),
        ({"task": "fetch", "arguments": {"url": "x" * 66_000}}, 413, "body: expected at most 64 KiB"),
    ],
)
def test_a_wrong_job_is_refused_with_a_sentence(system: Programs, body: object, status: int, sentence: str) -> None:
    """4xx, and what was expected."""
    found, answer = system.post("/api/jobs", body)
    assert found == status
    assert sentence in answer["detail"]


@pytest.mark.parametrize(
    ("body", "kind", "status", "sentence"),
    [
        (b'{"task": ', "application/json", 400, "JSON"),
        (b"\xff", "application/json", 400, "JSON"),
        (b"task=demo", "application/x-www-form-urlencoded", 415, "content type: expected application/json"),
        (b"", "text/plain", 415, "content type: expected application/json"),
    ],
)
def test_what_is_no_json_is_refused_with_a_sentence(
    system: Programs, body: bytes, kind: str, status: int, sentence: str
) -> None:
    """Broken, or of another type."""
    found, answer = request(f"{system.url}/api/jobs", body, {"Content-Type": kind})
    assert found == status
    assert sentence in answer["detail"]


@pytest.mark.parametrize(
    ("path", "status"),
    [("/api/jobs/nobody", 404), ("/api/jobs?limit=0", 400), (f"/api/jobs?limit={'9' * 5000}", 400), ("/api/no", 404)],
)
def test_what_is_not_there_is_told_in_json(system: Programs, path: str, status: int) -> None:
    """Also an unknown address."""
    found, answer = system.get(path)
    assert found == status
    assert answer["detail"]


def test_the_tasks_of_the_worker_are_listed(system: Programs) -> None:
    """With their parameters and docs."""
    tasks = {task["name"]: task for task in system.get("/api/tasks")[1]["tasks"]}
    assert {"demo", "do_stuff", "fan_out", "fetch", "fail", "flaky"} == set(tasks)
    assert tasks["do_stuff"]["doc"] == "Do nothing in particular for some seconds."
    (parameter,) = tasks["do_stuff"]["parameters"]
    assert (parameter["name"], parameter["required"], parameter["default"]) == ("seconds", False, 0.5)


@pytest.mark.parametrize(
    "headers",
    [
        {"b3": "463ac35c9f6413ad48485a3953bb612{}-a2fb4a1d1a96d312-1"},
        {"X-B3-TraceId": "563ac35c9f6413ad48485a3953bb612{}", "X-B3-SpanId": "a2fb4a1d1a96d312", "X-B3-Sampled": "1"},
    ],
)
def test_an_incoming_trace_goes_on_through_the_queue(
    system: Programs, zipkin: ZipkinServer, headers: dict[str, str]
) -> None:
    """Single header or multi; the answer carries the trace id."""
    digit = hex(hash(json.dumps(headers)) % 15 + 1)[2:]
    sent = {name: value.format(digit) for name, value in headers.items()}
    with urllib.request.urlopen(urllib.request.Request(f"{system.url}/demo", headers=sent)) as response:
        trace_id = response.headers["X-B3-TraceId"]
        posted = json.load(response)
    assert trace_id == posted["trace_id"]
    assert trace_id in next(iter(sent.values()))
    tree = zipkin.wait_for_trace(trace_id, 6)
    index = tree.find("index")
    assert index is not None
    assert index.span["parentId"] == "a2fb4a1d1a96d312"


def test_a_trace_that_is_not_to_be_sampled_is_not_and_the_job_runs(system: Programs, zipkin: ZipkinServer) -> None:
    """And its record has no link."""
    with urllib.request.urlopen(urllib.request.Request(f"{system.url}/demo", headers={"b3": "0"})) as response:
        posted = json.load(response)
    assert posted["links"]["trace"] is None
    assert finished(system, posted["id"])["sampled"] is False
    assert zipkin.api.trace(posted["trace_id"]) is None


def test_the_page_has_a_form_for_every_task_and_the_latest_jobs(system: Programs) -> None:
    """And a form leads to the job's own page."""
    with urllib.request.urlopen(f"{system.url}/jobs", b"task=do_stuff&argument.seconds=0.01") as response:
        page, address = response.read().decode(), response.url
    assert "<h1>do_stuff" in page
    job_id = address.rsplit("/", 1)[1]
    assert finished(system, job_id)["arguments"] == {"seconds": 0.01}
    board = system.get("/")[1]
    assert 'name="argument.seconds"' in board
    assert job_id[:12] in board


def test_a_form_with_a_wrong_value_says_so_on_the_page(system: Programs) -> None:
    """And nothing is posted."""
    status, page = request(f"{system.url}/jobs", b"task=do_stuff&argument.seconds=long")
    assert status == 400
    assert "seconds: input should be a valid number" in page


def test_hostile_text_is_shown_as_text(system: Programs) -> None:
    """Arguments and errors are somebody else's."""
    _, posted = system.post("/api/jobs", {"task": "fail", "arguments": {"message": "<script>alert(1)</script>"}})
    assert finished(system, posted["id"])["state"] == "dead_lettered"
    page = system.get(f"/jobs/{posted['id']}")[1]
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_an_unknown_job_has_a_page_that_says_so(system: Programs) -> None:
    """In words, with a way back."""
    status, page = system.get("/jobs/nobody")
    assert status == 404
    assert "There is no job" in page


def test_the_counts_are_on_the_metrics_page(system: Programs) -> None:
    """Jobs, refusals and spans."""
    before = metric(system, 'kombu_zipkin_jobs_published_total{task="do_stuff"}')
    system.post("/api/jobs", {"task": "do_stuff", "arguments": {"seconds": 0}})
    system.post("/api/jobs", {"task": "do_stuff", "arguments": {"seconds": "x"}})
    assert metric(system, 'kombu_zipkin_jobs_published_total{task="do_stuff"}') == before + 1
    assert metric(system, 'kombu_zipkin_jobs_refused_total{reason="invalid"}') >= 1
    assert metric(system, "kombu_zipkin_spans_created_total") > 0
    assert system.get("/health")[0] == 200


def metric(system: Programs, name: str) -> float:
    """Return one number of the metrics page, 0 when it is not there."""
    page = str(system.get("/metrics")[1])
    return next((float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.startswith(name + " ")), 0.0)


def test_without_redis_the_app_says_so_soon_and_recovers(own_redis: RedisServer, zipkin: ZipkinServer) -> None:
    """503 with Retry-After from the API, words on the page, and all is well when Redis is back."""
    programs = Programs({"REDIS_URL": own_redis.url, "ZIPKIN_URL": zipkin.url})
    programs.start_worker()
    programs.start_producer()
    own_redis.kill()
    body = json.dumps({"task": "demo"}).encode()
    post = urllib.request.Request(f"{programs.url}/api/jobs", body, {"Content-Type": "application/json"})
    with pytest.raises(urllib.error.HTTPError) as failure:
        urllib.request.urlopen(post, timeout=2.0)
    with failure.value as error:
        assert (error.code, error.headers["Retry-After"]) == (503, "2")
        assert "The queue does not answer" in json.load(error)["detail"]
    status, page = programs.get("/")
    assert (status, "Redis does not answer" in page) == (503, True)
    assert programs.get("/ready")[0] == 503
    own_redis.start()
    wait_until(lambda: programs.post("/api/jobs", {"task": "demo"})[0] == 202, "a job to be taken again")
    programs.close()


def test_a_wrong_method_is_told_which_are_right(system: Programs) -> None:
    """With the header that says so."""
    call = urllib.request.Request(f"{system.url}/api/tasks", method="DELETE")
    with pytest.raises(urllib.error.HTTPError) as failure:
        urllib.request.urlopen(call)
    with failure.value as error:
        assert error.code == 405
        assert "GET" in error.headers["Allow"]


def test_the_list_is_paged_and_filtered(system: Programs) -> None:
    """Each job once; a page says where the next begins."""
    for _ in range(3):
        finished(system, system.post("/api/jobs", {"task": "fail", "arguments": {}})[1]["id"])
    found, after = [], ""
    while after is not None:
        _, page = system.get(f"/api/jobs?state=dead_lettered&task=fail&limit=2{after and '&after=' + after}")
        found += page["jobs"]
        after = page["next"]
    assert len(found) >= 3
    assert {(job["state"], job["task"]) for job in found} == {("dead_lettered", "fail")}
    assert len({job["id"] for job in found}) == len(found)
    for wrong in ("state=asleep", "after=nowhere"):
        assert system.get(f"/api/jobs?{wrong}")[0] == 400


def test_each_wrong_member_is_told_with_where_it_is(system: Programs) -> None:
    """As JSON Pointers, for the program that fills in a form."""
    status, answer = system.post("/api/jobs", {"task": 7, "delay_ms": -1, "arguments": {"a/b": 1}})
    assert (status, answer["status"], answer["title"]) == (400, 400, "Bad Request")
    assert [each["pointer"] for each in answer["errors"]] == ["/task", "/delay_ms"]
    _, answer = system.post("/api/jobs", {"task": "fan_out", "arguments": {"n": "3", "m": 1}})
    assert {each["pointer"]: each["detail"] for each in answer["errors"]} == {
        "/arguments/n": "n: input should be a valid integer, got '3'",
        "/arguments/m": "m is not an argument of it",
    }


def test_the_demo_is_for_programs_and_for_people(system: Programs) -> None:
    """JSON for curl, the job's page for a browser, nothing for a HEAD."""
    assert request(f"{system.url}/demo", b"")[0] == 202
    status, page = request(f"{system.url}/demo", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (status, "<h1>demo" in page) == (200, True)
    before = system.get("/api/jobs?limit=1")[1]["jobs"][0]["id"]
    with urllib.request.urlopen(urllib.request.Request(f"{system.url}/demo", method="HEAD")) as response:
        assert response.status == 202
    assert system.get("/api/jobs?limit=1")[1]["jobs"][0]["id"] == before


def test_a_dead_job_is_run_again_by_the_api(system: Programs) -> None:
    """One that has succeeded is not: 409."""
    dead = finished(system, system.post("/api/jobs", {"task": "fail"})[1]["id"])
    done = finished(system, system.post("/api/jobs", {"task": "do_stuff", "arguments": {"seconds": 0}})[1]["id"])
    assert system.post(f"/api/jobs/{dead['id']}/retry", {})[0] == 202
    assert system.post(f"/api/jobs/{done['id']}/retry", {})[0] == 409
    assert system.post("/api/jobs/nobody/retry", {})[0] == 404
