"""The relay and what is around it: signals, credentials, certificates, Zipkin's own drops, other relays."""

import base64
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from kombu_zipkin.errors import ConfigurationError, ZipkinUnavailable
from kombu_zipkin.relay import upkeep
from kombu_zipkin.runtime import Metrics
from kombu_zipkin.spans import GROUP, SpanGroup, StreamKeys, read_ledger, relays_of
from kombu_zipkin.zipkin import ZipkinClient
from tests.relay.feeding import Feed, encoded, wait_settled
from tests.relay.sink import ACCEPTED, Answer, Sink
from tests.servers import RedisServer, wait_until


@pytest.fixture
def authority() -> trustme.CA:
    """Signs certificates that nobody else trusts."""
    return trustme.CA()


@pytest.fixture
def https_sink(authority: trustme.CA) -> Iterator[Sink]:
    """A sink behind TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    sink = Sink(tls=context)
    yield sink
    sink.close()


def test_user_and_password_are_sent_and_not_told(
    sink: Sink, relaying: Callable[..., Any], feed: Feed, redis_url: str, namespace: str
) -> None:
    """They stand in Zipkin's URL, quoted as URLs have it."""
    feed.append(encoded(2))
    url = sink.url.replace("http://", "http://me:p%40ss@")
    with relaying(url):
        wait_settled(redis_url, namespace, 2)
    expected = base64.b64encode(b"me:p@ss").decode()
    assert sink.headers[0]["Authorization"] == f"Basic {expected}"
    with pytest.raises(ZipkinUnavailable) as failure:
        ZipkinClient("http://me:secret@127.0.0.1:1").post(b"")
    assert "secret" not in str(failure.value)


def test_a_token_is_sent(sink: Sink, relaying: Callable[..., Any], feed: Feed, redis_url: str, namespace: str) -> None:
    """As a Bearer token."""
    feed.append(encoded(2))
    with relaying(sink.url, zipkin_token="t0ken"):
        wait_settled(redis_url, namespace, 2)
    assert sink.headers[0]["Authorization"] == "Bearer t0ken"


def test_a_zipkin_behind_tls_is_trusted_by_its_authoritys_file(
    https_sink: Sink,
    authority: trustme.CA,
    relaying: Callable[..., Any],
    feed: Feed,
    redis_url: str,
    namespace: str,
    tmp_path: Path,
) -> None:
    """Without it nothing is sent; with it the spans arrive."""
    feed.append(encoded(2))
    with relaying(https_sink.url) as health:
        wait_until(lambda: "certificate verify failed" in health.faults().get("zipkin", ""), "the fault to be told")
    assert https_sink.posts == []
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with relaying(https_sink.url, zipkin_ca_file=str(tmp_path / "ca.pem")):
        wait_settled(redis_url, namespace, 2)
    with pytest.raises(ConfigurationError, match="no-such-file"):
        ZipkinClient(https_sink.url, ca_file="/no-such-file")


def test_what_zipkin_accepted_and_did_not_store_is_shown(
    sink: Sink, relaying: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its own metrics are the only sign of a loss behind its 202."""
    monkeypatch.setattr(upkeep, "_ASK_ZIPKIN_SECONDS", 0.1)
    metrics = Metrics()
    sink.dropped = 5
    with relaying(sink.url, metrics=metrics):
        wait_until(lambda: b"accepted_not_stored_spans 5.0" in metrics.page(), "the number to be shown")
        assert "did not store" not in caplog.text, "it dropped these before we came"
        sink.dropped = 12
        wait_until(lambda: "accepted 7 spans and did not store them" in caplog.text, "the warning")


def test_what_is_in_hand_is_delivered_when_the_relay_is_stopped(
    sink: Sink, relaying: Callable[..., Any], feed: Feed, redis_url: str, namespace: str
) -> None:
    """A slow Zipkin gets what was read ahead before the relay leaves."""

    def slow(spans: list[dict[str, Any]]) -> Answer:
        threading.Event().wait(0.3 if spans else 0)
        return ACCEPTED

    sink.answer = slow
    for number in range(6):
        feed.append(encoded(3, f"{number}"))
    with relaying(sink.url, relay_post_spans=3):
        wait_until(lambda: sink.posts, "a first POST")
    ledger = read_ledger(redis_url, stream=namespace)
    assert (ledger.totals["delivered"], ledger.waiting, ledger.difference) == (18, 0, 0)


def test_a_relay_that_is_stopped_while_zipkin_hangs_leaves_in_time_and_loses_nothing(
    sink: Sink, relaying: Callable[..., Any], feed: Feed, redis_server: RedisServer, namespace: str
) -> None:
    """What it held stays pending under its name, and the next relay claims it."""
    hang = threading.Event()

    def answer(spans: list[dict[str, Any]]) -> Answer:
        hang.wait(30 if spans else 0)
        return ACCEPTED

    sink.answer = answer
    feed.append(encoded(4))
    with relaying(sink.url):
        wait_until(lambda: redis_pending(redis_server, namespace) == 1, "the entry to be held")
    hang.set()
    assert redis_pending(redis_server, namespace) == 1
    sink.answer = lambda spans: ACCEPTED
    with relaying(sink.url):
        wait_settled(redis_server.url, namespace, 4)


def redis_pending(server: RedisServer, stream: str) -> int:
    """Return how many entries somebody holds."""
    with server.client() as client:
        groups = client.xinfo_groups(StreamKeys(stream).stream)
        return int(groups[0]["pending"]) if groups else 0


def test_an_entry_that_zipkin_fails_on_is_tried_again_later_and_the_others_go_on(
    sink: Sink, relaying: Callable[..., Any], feed: Feed, redis_url: str, namespace: str
) -> None:
    """It stays pending, it is no dead letter, and once Zipkin is mended it arrives."""
    sink.answer = lambda spans: (500, "oops", {}) if any(span["name"] == "ails 0" for span in spans) else ACCEPTED
    for number in range(5):
        feed.append(encoded(2, "ails" if number == 2 else f"s{number}-"))
    with relaying(sink.url):
        wait_until(lambda: read_ledger(redis_url, stream=namespace).totals.get("delivered") == 8, "the others")
        feed.append(encoded(3, "later"))
        wait_until(lambda: read_ledger(redis_url, stream=namespace).totals.get("delivered") == 11, "what came later")
        assert read_ledger(redis_url, stream=namespace).totals.get("dead", 0) == 0
        sink.answer = lambda spans: ACCEPTED
        wait_settled(redis_url, namespace, 13)


def test_a_redis_that_is_away_between_post_and_settle_costs_no_second_post(
    sink: Sink, relaying: Callable[..., Any], own_redis: RedisServer
) -> None:
    """Delivered is delivered: the relay settles when Redis is back."""
    feed = Feed(own_redis.url, "zipkin-spans")
    feed.append(encoded(3))
    feed.close()

    def answer(spans: list[dict[str, Any]]) -> Answer:
        if spans:
            own_redis.kill()
        return ACCEPTED

    sink.answer = answer
    with relaying(sink.url, redis_url=own_redis.url, spans_stream="zipkin-spans", relay_claim_after=30.0):
        wait_until(lambda: sink.posts, "the POST")
        sink.answer = lambda spans: ACCEPTED
        wait_until(lambda: own_redis.is_stopped, "Redis to be gone")
        own_redis.start()
        wait_settled(own_redis.url, "zipkin-spans", 3)
    assert len(sink.posts) == 1


def test_relays_that_come_and_go_deliver_everything_once(
    sink: Sink, relaying: Callable[..., Any], feed: Feed, redis_url: str, namespace: str
) -> None:
    """Three of them, each for a part of the time."""
    with relaying(sink.url):
        for number in range(20):
            feed.append(encoded(2, f"a{number}-"))
        with relaying(sink.url):
            for number in range(20):
                feed.append(encoded(2, f"b{number}-"))
    for number in range(20):
        feed.append(encoded(2, f"c{number}-"))
    with relaying(sink.url):
        wait_settled(redis_url, namespace, 120)
    assert len(sink.accepted) == len(set(sink.accepted)) == 120
    group = SpanGroup(redis_url, "onlooker", stream=namespace)
    assert group.oldest_ms() is None
    group.close()


def test_a_relay_that_was_frozen_longer_than_the_claim_time_takes_nothing_back(
    redis_server: RedisServer, feed: Feed, namespace: str
) -> None:
    """Another one claimed what it held; its renewal must not steal it."""
    feed.append(encoded(2))
    frozen, other = (SpanGroup(redis_server.url, name, stream=namespace) for name in ("frozen", "other"))
    held = frozen.read(10, 100)
    assert [received.id for received in other.claim(10, idle_ms=0)] == [received.id for received in held]
    assert frozen.renew(held) == {received.id for received in held}, "told what is no longer its own"
    with redis_server.client() as client:
        (pending,) = client.xpending_range(StreamKeys(namespace).stream, GROUP, "-", "+", 10)
    assert pending["consumer"] == "other"
    frozen.close()
    other.close()


def test_a_relay_with_nothing_to_do_is_seen(
    sink: Sink, relaying: Callable[..., Any], redis_url: str, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the board and the doctor would say that none runs."""
    monkeypatch.setattr(upkeep, "_LOOK_SECONDS", 0.2)
    with relaying(sink.url):
        wait_until(lambda: relays_of(redis_url, stream=namespace), "the relay to join")
        after = time.monotonic() + 2.0
        looks: list[int] = []

        def seen_for_long() -> bool:
            (seen,) = relays_of(redis_url, stream=namespace)
            looks.append(seen.idle_ms)
            return time.monotonic() > after

        wait_until(seen_for_long, "two seconds to pass")
    assert max(looks) < 1500
