"""Dead letters: each is sent again or thrown away exactly once, and the books close."""

import threading

import orjson
import pytest

from kombu_zipkin.errors import ConfigurationError, StreamUnavailable
from kombu_zipkin.spans import (
    DeadLetters,
    DeadRecord,
    Entry,
    Moved,
    ProducerReport,
    Settlement,
    SpanGroup,
    SpanStream,
    StreamKeys,
    compress,
    encode,
    read_ledger,
)
from tests.servers import VARIANTS, RedisServer
from tests.spans.conftest import RedisVariants
from tests.spans.making import make_span, make_spans, spans_in_stream


@pytest.fixture(params=VARIANTS)
def redis_server(request: pytest.FixtureRequest, redis_variants: RedisVariants) -> RedisServer:
    """Every test here runs on each kind of server."""
    return redis_variants(request.param)


def bury(url: str, stream: str, *, letters: int, reason: str = "refused by Zipkin", budget: int | None = None) -> None:
    """Append an entry of so many spans, and make each of them a dead letter."""
    spans = list(map(encode, make_spans(letters)))
    producer, group = SpanStream(url, stream=stream), SpanGroup(url, "relay-1", stream=stream, dead_budget_bytes=budget)
    batch = Entry(compress(b",".join(spans)), letters, f"p-{reason}", 1, 1_700_000_000_000)
    producer.append(batch, ProducerReport(letters, 0, {}))
    (received,) = group.read(10, 100)
    dead = [
        DeadRecord(1, ["reason", reason, "entry", received.id, "dead_ms", 5, "status", 400, "spans", 1, "span", span])
        for span in spans
    ]
    assert group.settle([Settlement(received, 0, dead)]) == 1
    group.close()
    producer.close()


def bury_entry(server: RedisServer, stream: str) -> None:
    """Append an entry whose payload is corrupt, and make it a dead letter as it is."""
    producer, group = SpanStream(server.url, stream=stream), SpanGroup(server.url, "relay-1", stream=stream)
    piece = compress(b",".join(map(encode, make_spans(7))))
    producer.append(Entry(piece, 7, "p-corrupt", 1, 1_700_000_000_000), ProducerReport(7, 0, {}))
    (received,) = group.read(10, 100)
    assert group.settle([Settlement(received, 0, [DeadRecord(7, ["reason", "corrupt payload", *received.raw])])]) == 1
    group.close()
    producer.close()


def closed_books(url: str, stream: str) -> dict[str, int]:
    """Return the totals that are not 0, after checking that the books close."""
    ledger = read_ledger(url, stream=stream)
    assert (ledger.difference, ledger.dead_difference) == (0, 0)
    counts = {name: ledger.totals.get(name, 0) for name in ("appended", "delivered", "dead", "purged", "dead_trimmed")}
    return {name: spans for name, spans in {**counts, "waiting": ledger.waiting}.items() if spans}


def test_letters_are_listed_by_page_and_by_reason(redis_server: RedisServer, namespace: str) -> None:
    """The oldest first; a page goes on after the last id of the one before."""
    bury(redis_server.url, namespace, letters=5)
    bury(redis_server.url, namespace, letters=2, reason="corrupt payload")
    dead = DeadLetters(redis_server.url, stream=namespace)
    first = dead.list(limit=3)
    second = dead.list(start=first[-1].id, limit=100)
    assert [len(first), len(second)] == [3, 4]
    assert len({letter.id for letter in [*first, *second]}) == 7
    assert [letter.reason for letter in dead.list(reason="corrupt")] == ["corrupt payload"] * 2
    assert dead.show(first[0].id) == first[0]
    assert (first[0].spans, first[0].status, first[0].dead_ms, dead.show("1-1")) == (1, 400, 5, None)
    dead.close()


def test_dead_spans_become_one_good_entry_again(redis_server: RedisServer, namespace: str) -> None:
    """With the spans' own bytes; and the books close before and after."""
    bury(redis_server.url, namespace, letters=30)
    assert closed_books(redis_server.url, namespace) == {"appended": 30, "dead": 30}
    dead = DeadLetters(redis_server.url, stream=namespace)
    names = sorted(orjson.loads(letter.span or b"")["name"] for letter in dead.list())
    looked: list[int] = []
    assert dead.replay(everything=True, dry_run=True) == Moved(30, 30)
    assert dead.replay(everything=True, progress=looked.append) == Moved(30, 30)
    assert dead.replay(everything=True) == Moved()
    dead.close()
    assert sum(looked) == 30
    assert sorted(span["name"] for span in spans_in_stream(redis_server.url, namespace)) == names
    assert closed_books(redis_server.url, namespace) == {"appended": 30, "waiting": 30}
    group = SpanGroup(redis_server.url, "relay-1", stream=namespace)
    (received,) = group.read(10, 100)
    group.settle([Settlement(received, 30)])
    group.close()
    assert closed_books(redis_server.url, namespace) == {"appended": 30, "delivered": 30}
    ledger = read_ledger(redis_server.url, stream=namespace)
    assert (ledger.totals["bytes"], ledger.totals["dead_bytes"]) == (0, 0)


def test_a_whole_entry_is_replayed_with_its_own_fields(redis_server: RedisServer, namespace: str) -> None:
    """It may have been judged wrongly; one without readable fields stays where it is."""
    bury_entry(redis_server, namespace)
    with redis_server.client() as client:
        client.xadd(StreamKeys(namespace).dead, {"spans": "0", "reason": "strange", "v": "1", "n": "many"})
    dead = DeadLetters(redis_server.url, stream=namespace)
    moved = dead.replay(everything=True)
    assert (moved.letters, moved.spans, len(moved.unreadable), len(dead.list())) == (1, 7, 1, 1)
    dead.close()
    assert len(spans_in_stream(redis_server.url, namespace)) == 7
    assert closed_books(redis_server.url, namespace) == {"appended": 7, "waiting": 7}


def test_two_operators_replay_each_letter_once(redis_server: RedisServer, namespace: str) -> None:
    """They may do so at the same time, and a third may purge."""
    for number in range(4):
        bury(redis_server.url, namespace, letters=100, reason=f"reason {number}")
    moved: list[Moved] = []

    def operate(purge: bool) -> None:
        dead = DeadLetters(redis_server.url, stream=namespace)
        moved.append(dead.purge(reason="reason 2") if purge else dead.replay(everything=True))
        dead.close()

    threads = [threading.Thread(target=operate, args=(purge,)) for purge in (False, False, True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(each.letters for each in moved) == 400
    spans = spans_in_stream(redis_server.url, namespace)
    assert len({span["id"] for span in spans}) == len(spans)
    books = closed_books(redis_server.url, namespace)
    assert books["waiting"] + books.get("purged", 0) == 400
    assert books["waiting"] == len(spans)


def test_a_letter_that_is_gone_is_told_and_moved_by_nobody_twice(redis_server: RedisServer, namespace: str) -> None:
    """As when the connection broke after the script had run, and the operator asks again."""
    bury(redis_server.url, namespace, letters=3)
    dead = DeadLetters(redis_server.url, stream=namespace)
    ids = [letter.id for letter in dead.list()]
    stale = dead.list()
    assert dead.replay(ids[:2]) == Moved(2, 2)
    assert dead.replay(ids) == Moved(1, 1, gone=2)
    assert dead._move(stale) == Moved(0, 0, gone=3)
    dead.close()
    assert closed_books(redis_server.url, namespace) == {"appended": 3, "waiting": 3}


def test_a_replay_that_a_killed_redis_broke_off_is_done_again(own_redis: RedisServer) -> None:
    """What was moved stays moved, what was not is still there."""
    for number in range(3):
        bury(own_redis.url, "broken", letters=150, reason=f"reason {number}")
    dead = DeadLetters(own_redis.url, stream="broken")
    with pytest.raises(StreamUnavailable):
        dead.replay(everything=True, progress=lambda _: own_redis.kill())
    own_redis.start()
    moved = closed_books(own_redis.url, "broken")["waiting"]
    assert 0 < moved < 450
    assert dead.replay(everything=True) == Moved(450 - moved, 450 - moved)
    dead.close()
    spans = spans_in_stream(own_redis.url, "broken")
    assert len({span["id"] for span in spans}) == len(spans) == 450
    assert closed_books(own_redis.url, "broken") == {"appended": 450, "waiting": 450}


def test_a_purge_is_counted_and_needs_to_be_told_what(redis_server: RedisServer, namespace: str) -> None:
    """Nothing is thrown away by default."""
    bury(redis_server.url, namespace, letters=5)
    dead = DeadLetters(redis_server.url, stream=namespace)
    with pytest.raises(ConfigurationError, match="expected ids, or a reason, or everything"):
        dead.purge()
    first = dead.list()[0].id
    assert dead.purge([first], dry_run=True) == Moved(1, 1)
    assert dead.purge([first, first]) == Moved(1, 1)
    assert dead.purge(reason="no such reason") == Moved()
    assert dead.purge(everything=True) == Moved(4, 4)
    dead.close()
    assert closed_books(redis_server.url, namespace) == {"appended": 5, "purged": 5}
    assert read_ledger(redis_server.url, stream=namespace).totals["dead_bytes"] == 0


def test_over_their_budget_the_oldest_letters_go_and_are_counted(redis_server: RedisServer, namespace: str) -> None:
    """Span for span; the youngest stay."""
    size = len(encode(make_span("do_stuff 0"))) + 300
    for number in range(3):
        bury(redis_server.url, namespace, letters=10, reason=f"reason {number}", budget=15 * size)
    dead = DeadLetters(redis_server.url, stream=namespace)
    left = dead.list()
    dead.close()
    assert 10 < len(left) < 20
    assert {letter.reason for letter in left} == {"reason 1", "reason 2"}
    books = closed_books(redis_server.url, namespace)
    assert books == {"appended": 30, "dead": len(left), "dead_trimmed": 30 - len(left)}
    assert read_ledger(redis_server.url, stream=namespace).totals["dead_bytes"] <= 15 * size


def test_letters_that_were_deleted_by_hand_are_seen(redis_server: RedisServer, namespace: str) -> None:
    """The books count them as dead; the dead letters themselves do not."""
    bury(redis_server.url, namespace, letters=5)
    with redis_server.client() as client:
        client.xtrim(StreamKeys(namespace).dead, maxlen=3, approximate=False)
    assert read_ledger(redis_server.url, stream=namespace).dead_difference == 2
