"""The access token: what asks for it, who has it. A web app of its own, with one."""

import json
from collections.abc import Iterator

import pytest

from tests.cli.typed import typed
from tests.producer.test_pages import FORM, ask
from tests.servers import Programs, RedisServer, ZipkinServer

TOKEN = "let-me-in, please"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def guarded(redis_server: RedisServer, zipkin: ZipkinServer) -> Iterator[Programs]:
    """A web app that asks for a token."""
    programs = Programs({"REDIS_URL": redis_server.url, "ZIPKIN_URL": zipkin.url, "JOBS_NAMESPACE": "guarded"})
    programs.start_producer(PRODUCER_TOKEN=TOKEN)
    yield programs
    programs.close()


@pytest.mark.parametrize("path", ["/api/jobs", "/api/tasks", "/api/openapi.json", "/demo"])
def test_a_program_without_the_token_is_refused(guarded: Programs, path: str) -> None:
    """401, as a problem; with it, it is served."""
    for wrong in ({}, {"Authorization": "Bearer let-me-out"}, {"Authorization": f"Basic {TOKEN}"}):
        status, headers, text = ask(guarded, "GET", path, **wrong)
        assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
        assert "access token" in json.loads(text)["detail"]
    assert ask(guarded, "GET", path, **BEARER)[0] in (200, 400)


def test_nothing_is_posted_without_it(guarded: Programs) -> None:
    """Neither by the API nor by a form."""
    assert guarded.post("/api/jobs", {"task": "demo"})[0] == 401
    assert ask(guarded, "POST", "/jobs", "task=demo", **FORM)[0] == 401
    assert ask(guarded, "POST", "/dead/purge", "sure=yes", **FORM)[0] == 401


def test_a_person_gives_it_once(guarded: Programs) -> None:
    """A page leads to the login; the cookie that follows is for this site and no script, and is not the token."""
    status, headers, _ = ask(guarded, "GET", "/")
    assert (status, headers["Location"]) == (303, "/login")
    status, _, page = ask(guarded, "POST", "/login", "token=guess", **FORM)
    assert (status, "That is not the token" in page) == (403, True)
    status, headers, _ = ask(guarded, "POST", "/login", f"token={TOKEN.replace(' ', '+')}", **FORM)
    assert (status, headers["Location"]) == (303, "/")
    cookie = headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert TOKEN not in cookie
    assert ask(guarded, "GET", "/", Cookie=cookie.split(";")[0])[0] == 200
    assert ask(guarded, "GET", "/", Cookie="kombu-zipkin=0")[0] == 303


def test_a_page_that_was_open_is_told_and_not_replaced(guarded: Programs) -> None:
    """Its parts are refused instead of led elsewhere."""
    assert ask(guarded, "GET", "/board", X_Part="1")[0] == 401


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics", "/static/style.css", "/login"])
def test_probes_and_the_login_need_none(guarded: Programs, path: str) -> None:
    """Nothing of a job is told there."""
    assert ask(guarded, "GET", path)[0] == 200


def test_our_commands_send_it(guarded: Programs) -> None:
    """From their environment; without it they say what to set."""
    without = typed("post", "demo", "--url", guarded.url, KOMBU_ZIPKIN_TOKEN="")
    assert (without.exit_code, without.stderr) == (
        2, f"kombu-zipkin: KOMBU_ZIPKIN_TOKEN: expected the access token of {guarded.url}\n"
    )  # fmt: skip
    given = typed("post", "demo", "--url", guarded.url, KOMBU_ZIPKIN_TOKEN=TOKEN)
    assert (given.exit_code, "no worker has announced it" in given.stderr) == (2, True)


def test_the_document_says_so(guarded: Programs, system: Programs) -> None:
    """Only where a token is asked for."""
    told = json.loads(ask(guarded, "GET", "/api/openapi.json", **BEARER)[2])
    assert told["security"] == [{"token": []}]
    assert "401" in told["paths"]["/api/tasks"]["get"]["responses"]
    assert "security" not in system.get("/api/openapi.json")[1]
