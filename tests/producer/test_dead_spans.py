"""The page of the spans that Zipkin would not take. A web app of its own, over a stream that no relay reads."""

import re
from collections.abc import Iterator

import pytest

from kombu_zipkin.spans import read_ledger
from tests.producer.test_pages import FORM, ask
from tests.servers import Programs, RedisServer, ZipkinServer
from tests.spans.test_dead_letters import bury


@pytest.fixture
def app(redis_server: RedisServer, zipkin: ZipkinServer, namespace: str) -> Iterator[Programs]:
    """A web app whose stream has five dead letters of two reasons."""
    bury(redis_server.url, namespace, letters=3, reason="refused: <b>bad</b>")
    bury(redis_server.url, namespace, letters=2, reason="corrupt payload")
    env = {"REDIS_URL": redis_server.url, "ZIPKIN_URL": zipkin.url, "SPANS_STREAM": namespace}
    programs = Programs({**env, "JOBS_NAMESPACE": namespace})
    programs.start_producer()
    yield programs
    programs.close()


def test_they_are_shown_replayed_and_thrown_away(app: Programs, redis_server: RedisServer, namespace: str) -> None:
    """One, those of a reason, all; nothing goes for good without a tick; the books follow."""
    page = ask(app, "GET", "/dead/spans")[2]
    ids = re.findall(r'id="letter-([\d-]+)"', page)
    assert len(ids) == 5
    assert "&lt;b&gt;bad&lt;/b&gt;" in page
    assert "do_stuff 0" in page
    assert ask(app, "GET", "/dead/spans?reason=corrupt")[2].count("<details") == 2
    assert ask(app, "POST", "/dead/spans/purge", "reason=corrupt", **FORM)[0] == 400
    status, headers, _ = ask(app, "POST", "/dead/spans/purge", "reason=corrupt&sure=yes", **FORM)
    assert status == 303
    assert "2 thrown away." in ask(app, "GET", headers["Location"])[2]
    assert ask(app, "POST", "/dead/spans/replay", f"id={ids[0]}", **FORM)[0] == 303
    assert ask(app, "POST", "/dead/spans/replay", f"id={ids[0]}", **FORM)[0] == 409
    assert ask(app, "POST", "/dead/spans/replay", "id=nonsense", **FORM)[0] == 400
    assert ask(app, "POST", "/dead/spans/replay", "", **FORM)[0] == 303
    assert "None: Zipkin has taken every span" in ask(app, "GET", "/dead/spans")[2]
    ledger = read_ledger(redis_server.url, stream=namespace)
    assert (ledger.totals["purged"], ledger.totals["replayed"], ledger.difference) == (2, 3, 0)


def test_without_redis_the_page_says_so(own_redis: RedisServer, zipkin: ZipkinServer) -> None:
    """503, and nothing is lost."""
    programs = Programs({"REDIS_URL": own_redis.url, "ZIPKIN_URL": zipkin.url})
    programs.start_producer()
    own_redis.stop()
    status, _, page = ask(programs, "GET", "/dead/spans")
    programs.close()
    assert (status, "Redis does not answer" in page) == (503, True)
