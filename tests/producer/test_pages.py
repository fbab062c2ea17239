"""The pages that keep themselves up to date, and what a person does on them. On the running system."""

import http.client
import re
from email.message import Message
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from tests.producer.test_web_app import finished
from tests.servers import Programs, RedisServer, ZipkinServer, wait_until

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def ask(system: Programs, method: str, path: str, body: str = "", **headers: str) -> tuple[int, Message, str]:
    """Send a request as a browser does, redirects not followed; returns status, headers, text."""
    address = urlsplit(system.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=15)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()
    finally:
        connection.close()


def post_job(system: Programs, task: str, **arguments: Any) -> Any:
    """Post a job and wait for its end."""
    return finished(system, system.post("/api/jobs", {"task": task, "arguments": arguments})[1]["id"])


@pytest.mark.parametrize("part", ["/board", "/board?state=succeeded&task=do_stuff"])
def test_what_has_not_changed_costs_a_304(system: Programs, part: str) -> None:
    """And what has changed is sent whole."""
    post_job(system, "do_stuff", seconds=0)
    _, headers, text = ask(system, "GET", part)
    assert "do_stuff" in text

    def unchanged() -> bool:
        """The jobs a second go down for ten seconds after the last one."""
        nonlocal headers
        status, newer, again = ask(system, "GET", part, If_None_Match=headers["ETag"])
        headers = newer if status == 200 else headers
        return (status, again) == (304, "")

    wait_until(unchanged, "a look that finds nothing new")
    job = post_job(system, "do_stuff", seconds=0)
    status, _, text = ask(system, "GET", part, If_None_Match=headers["ETag"])
    assert (status, job["id"][:12] in text) == (200, True)


def test_the_board_is_filtered_and_paged(system: Programs) -> None:
    """By state and task; the page's own address is what is asked for again."""
    dead, done = post_job(system, "fail"), post_job(system, "do_stuff", seconds=0)
    _, _, text = ask(system, "GET", "/?state=dead_lettered&task=fail")
    assert dead["id"][:12] in text
    assert done["id"][:12] not in text
    assert 'data-poll="/board?state=dead_lettered&amp;task=fail"' in text
    for _ in range(51):
        system.post("/api/jobs", {"task": "do_stuff", "arguments": {"seconds": 0}})
    _, _, first = ask(system, "GET", "/?task=do_stuff")
    (older,) = re.findall(r'id="older" href="([^"]+)"', first)
    _, _, second = ask(system, "GET", older.replace("&amp;", "&"))
    assert not set(re.findall(r'id="job-(\w+)"', first)) & set(re.findall(r'id="job-(\w+)"', second))
    assert ask(system, "GET", "/?state=asleep")[0] == 400
    assert ask(system, "GET", "/?after=nowhere")[0] == 400


def test_an_id_leads_to_its_page(system: Programs) -> None:
    """A job's, a trace's; another one is told."""
    job = post_job(system, "do_stuff", seconds=0)
    for sought, place in ((job["id"], f"/jobs/{job['id']}"), (job["trace_id"], f"/trace/{job['trace_id']}")):
        status, headers, _ = ask(system, "GET", f"/?{urlencode({'q': f' {sought} '})}")
        assert (status, headers["Location"]) == (303, place)
    status, _, text = ask(system, "GET", "/?q=%3Cscript%3E")
    assert status == 404
    assert "No job and no trace is known as &#39;&lt;script&gt;&#39;" in text


def test_a_dead_job_is_run_again_from_its_page(system: Programs) -> None:
    """It keeps its page; one that has succeeded cannot be."""
    dead, done = post_job(system, "fail"), post_job(system, "do_stuff", seconds=0)
    _, _, page = ask(system, "GET", f"/jobs/{dead['id']}")
    assert "Run it again" in page
    status, headers, _ = ask(system, "POST", f"/jobs/{dead['id']}/retry", **FORM)
    assert (status, headers["Location"]) == (303, f"/jobs/{dead['id']}")

    def again() -> bool:
        found = system.get(f"/api/jobs/{dead['id']}")[1]
        return bool(found["state"] == "dead_lettered" and found["started_ms"] > dead["started_ms"])

    wait_until(again, "another attempt")
    assert ask(system, "POST", f"/jobs/{done['id']}/retry", **FORM)[0] == 409
    assert ask(system, "POST", "/jobs/nobody/retry", **FORM)[0] == 404


def test_a_job_s_page_tells_every_attempt(system: Programs) -> None:
    """With what went wrong in each; it stops asking when nothing changes any more."""
    job = post_job(system, "flaky", failures=1)
    status, headers, part = ask(system, "GET", f"/jobs/{job['id']}/part")
    assert (status, headers.get("X-Final")) == (200, "1")
    assert part.count("RuntimeError: attempt 1 of 1 that fail") == 1
    assert [word in part for word in ("retried", "acknowledged")] == [True, True]


def test_the_waterfall_is_drawn_from_zipkin(system: Programs, zipkin: ZipkinServer) -> None:
    """Every span with its bar, the wait hatched; complete, it stops asking; other jobs of the trace are linked."""
    job = post_job(system, "fan_out", n=2)
    zipkin.wait_for_trace(job["trace_id"], 12)
    wait_until(lambda: ask(system, "GET", f"/trace/{job['trace_id']}/waterfall")[1].get("X-Final"), "it to be complete")
    _, _, drawn = ask(system, "GET", f"/trace/{job['trace_id']}/waterfall")
    assert drawn.count("<rect ") == 12
    assert drawn.count(" wait") >= 3
    assert "complete" in drawn
    assert {f"/jobs/{each}" for each in job["result"]} <= set(re.findall(r'href="(/jobs/\w+)"', drawn))
    _, _, page = ask(system, "GET", f"/trace/{job['trace_id']}")
    assert all(each[:12] in page for each in job["result"])


def test_without_zipkin_the_waterfall_says_so(system: Programs, namespace: str) -> None:
    """And goes on asking; so it does for a trace that Zipkin does not have yet."""
    own = Programs({**system.environment, "JOBS_NAMESPACE": namespace, "ZIPKIN_URL": "http://127.0.0.1:1"})
    own.start_producer()
    try:
        status, headers, text = ask(own, "GET", f"/trace/{'a' * 32}/waterfall")
        assert (status, headers.get("X-Final")) == (200, None)
        assert "Zipkin does not answer" in text
    finally:
        own.close()
    assert "Zipkin has no span of this trace yet" in ask(system, "GET", f"/trace/{'a' * 32}/waterfall")[2]
    assert ask(system, "GET", "/trace/nonsense/waterfall")[0] == 404


def test_a_trace_is_linked_only_when_zipkin_has_it(system: Programs) -> None:
    """Until then it is on its way; no page waits for Zipkin's answer."""
    job = post_job(system, "do_stuff", seconds=0)
    link = f'zipkin/traces/{job["trace_id"]}"'
    wait_until(lambda: link in ask(system, "GET", "/board")[2], "the trace to be linked")
    own = Programs({**system.environment, "ZIPKIN_URL": "http://127.0.0.1:1"})
    own.start_producer()
    try:
        boards = [ask(own, "GET", "/board")[2] for _ in range(3)]
        assert all("on its way" in board and "in Zipkin" not in board for board in boards)
    finally:
        own.close()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://elsewhere.example"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec_Fetch_Site": "same-origin"}, 303),
        ({}, 303),
    ],
)
def test_forms_of_other_sites_are_refused(system: Programs, headers: dict[str, str], status: int) -> None:
    """By what the browser says of whose page sent it; what is no browser says nothing."""
    body = urlencode({"task": "do_stuff", "argument.seconds": "0"})
    for kind in (FORM, {"Content-Type": "text/plain"}):
        expected = status if status == 403 or kind is FORM else 400
        assert ask(system, "POST", "/jobs", body, **kind, **headers)[0] == expected


def test_pages_load_nothing_from_elsewhere_and_show_hostile_text_as_text(system: Programs) -> None:
    """A strict policy, and everything escaped."""
    job = post_job(system, "fail", message="<script>alert(1)</script><img src=x onerror=alert(2)>")
    for path in (f"/jobs/{job['id']}", f"/jobs/{job['id']}/part", "/", f"/trace/{job['trace_id']}"):
        _, headers, text = ask(system, "GET", path)
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert not re.findall(r'(?:style="|<style|javascript:|onclick=|(?:src|href)="https?://(?!127\.0\.0\.1))', text)
        assert len(text) < 100_000


def test_the_board_tells_how_the_system_is(system: Programs) -> None:
    """Every part in words; nothing is wrong here but what jobs have done."""
    post_job(system, "do_stuff", seconds=0)

    def parts() -> dict[str, tuple[str, str]]:
        _, _, text = ask(system, "GET", "/overview")
        found = re.findall(r'<div class="(\w+)"><dt>([^<]+)</dt><dd>([^<]+)</dd>', text)
        return {name: (state, words) for state, name, words in found}

    wait_until(lambda: parts()["spans"][1].endswith(" 0 on their way"), "the spans to be in Zipkin")
    told = parts()
    assert list(told) == ["Redis", "workers", "queue", "spans", "relays", "Zipkin"]
    assert {state for state, _ in told.values()} == {"well"}, told
    assert told["workers"][1] == "1 running"
    assert re.fullmatch(r"0 jobs wait, 0 in hand, \d+ for later, \d+ dead letters?", told["queue"][1])


def test_the_board_tells_what_is_wrong_and_what_to_do(own_redis: RedisServer, zipkin: ZipkinServer) -> None:
    """No worker, no relay; then no Redis; then it is back."""
    own = Programs({"REDIS_URL": own_redis.url, "ZIPKIN_URL": zipkin.url})
    own.start_producer()
    try:
        wait_until(lambda: ask(own, "GET", "/overview")[2].count('class="unwell"') == 2, "the faults to be seen")
        text = ask(own, "GET", "/overview")[2]
        assert "start one: kombu-zipkin worker your.module" in text
        assert "Start one: kombu-zipkin relay" in text
        own_redis.stop()
        wait_until(lambda: ask(own, "GET", "/overview")[2].count("cannot be seen") == 5, "it to be told")
        assert ask(own, "GET", "/board")[0] == 503
        own_redis.start()
        wait_until(lambda: "cannot be seen" not in ask(own, "GET", "/overview")[2], "it to be back")
        assert ask(own, "GET", "/board")[0] == 200
    finally:
        own.close()


def test_dead_letters_are_run_again_and_thrown_away(system: Programs) -> None:
    """One, those of a reason; nothing goes for good without a tick; what is no job is shown too."""
    ask(system, "POST", "/dead/purge", "sure=yes", **FORM)
    unlucky = [post_job(system, "fail", message=f"unlucky <b>{number}</b>") for number in range(2)]
    other = post_job(system, "fail", message="another reason")
    _, _, page = ask(system, "GET", "/dead?reason=unlucky")
    assert [job["id"] in page for job in (*unlucky, other)] == [True, True, False]
    assert "unlucky &lt;b&gt;0" in page
    assert "in fail" in page, "the traceback"
    status, headers, _ = ask(system, "POST", "/dead/replay", urlencode({"id": unlucky[0]["id"]}), **FORM)
    assert (status, headers["Location"]) == (303, "/dead?done=1&what=replayed")
    assert "1 put back into their queues." in ask(system, "GET", headers["Location"])[2]
    wait_until(lambda: unlucky[0]["id"] in ask(system, "GET", "/dead")[2], "it to fail again")
    assert ask(system, "POST", "/dead/purge", urlencode({"reason": "unlucky"}), **FORM)[0] == 400
    assert unlucky[1]["id"] in ask(system, "GET", "/dead")[2]
    _, headers, _ = ask(system, "POST", "/dead/purge", urlencode({"reason": "unlucky", "sure": "yes"}), **FORM)
    assert headers["Location"] == "/dead?done=2&what=purged&reason=unlucky"
    assert ask(system, "POST", "/dead/replay", urlencode({"id": unlucky[0]["id"]}), **FORM)[0] == 409
    assert "None with such a reason" in ask(system, "GET", "/dead?reason=unlucky")[2]
    assert other["id"] in ask(system, "GET", "/dead")[2]


def test_a_queue_in_no_redis_has_no_dead_letters_here(system: Programs, namespace: str) -> None:
    """Its broker keeps them; the page says so."""
    own = Programs({**system.environment, "JOBS_NAMESPACE": namespace, "BROKER_URL": "amqp://127.0.0.1:1//"})
    own.start_producer()
    try:
        status, _, text = ask(own, "GET", "/dead")
        assert (status, "its broker keeps the dead letters" in text) == (404, True)
        assert ">queue<" not in ask(own, "GET", "/overview")[2]
    finally:
        own.close()
