"""No message is ever in nobody's hands, and none in two: the claim, the lease, the return."""

import base64
import json
import threading
import time
from typing import Any

import redis

from kombu_zipkin.broker.claimed import ClaimKeys, Settlement, Source
from kombu_zipkin.broker.claims import Claims
from tests.broker.conftest import Broker, consumer, drain, taking
from tests.servers import RedisServer, wait_until


def claims_of(broker: Broker) -> Claims:
    """Return a consumer's claims without anything that keeps them alive."""
    prefix = broker.prefix
    return Claims(broker.client, ClaimKeys(prefix + "unacked_index", prefix + "unacked", prefix, "\x06\x16"))


def source(broker: Broker, queue: str = "q", **more: Any) -> Source:
    """Return the list of a queue."""
    return Source(broker.prefix + queue, queue, **more)


def test_a_claim_takes_and_records_in_one_step(broker: Broker, redis_url: str) -> None:
    """Nothing that a kill could fall between: Redis sees one command, within which it does everything."""
    broker.publish({"n": 1})
    seen: list[Any] = []
    with redis.Redis.from_url(redis_url) as other, other.monitor() as monitor:
        with consumer(broker.connect(), taking(seen)) as connection:
            drain(connection, lambda: seen)
        other_client = redis.Redis.from_url(redis_url)
        other_client.echo("the end of this")
        other_client.close()
        commands = []
        for command in monitor.listen():
            if "the end of this" in command["command"]:
                break
            if broker.prefix in command["command"]:
                commands.append((command["client_type"], command["command"].split()[0].lower()))
    pops = [at for at, (_, name) in enumerate(commands) if name in ("rpop", "brpop", "lpop", "blpop")]
    assert pops, commands
    (first,) = [at for at in pops if commands[at + 1][1] == "zadd"]
    assert commands[first : first + 3] == [("lua", "rpop"), ("lua", "zadd"), ("lua", "hset")]
    assert {commands[at][0] for at in pops} == {"lua"}


def test_what_a_dead_consumer_held_comes_back_whatever_the_traffic(broker: Broker) -> None:
    """Within the lease and two seconds, while others are never idle."""
    broker.publish("held")
    assert len(claims_of(broker).claim([source(broker)], 1)) == 1
    seen: list[Any] = []
    died, stop = time.monotonic(), threading.Event()

    def feed() -> None:
        client = redis.Redis.from_url(broker.url)
        while not stop.wait(0.002):
            client.lpush(broker.prefix + "q", broker.message("traffic"))
        client.close()

    feeding = threading.Thread(target=feed)
    feeding.start()
    try:
        connection = broker.connect(visibility_timeout=2)
        with consumer(connection, taking(seen, lambda message: message)) as connection:
            drain(connection, lambda: any(message.payload == "held" for message in seen))
    finally:
        stop.set()
        feeding.join()
    assert 2 < time.monotonic() - died < 4.2
    (back,) = [message for message in seen if message.payload == "held"]
    assert back.delivery_info["redelivered"] is True
    assert back.headers["redelivered"] is True
    assert list(back.delivery_info["lost"].values()) == ["worker lost"]


def test_a_handler_longer_than_its_lease_keeps_its_message(broker: Broker) -> None:
    """Its lease is renewed from beside it."""
    broker.publish("long")
    seen: list[Any] = []

    def handle(message: Any) -> None:
        seen.append(message.payload)
        threading.Event().wait(3.5)
        message.ack()

    with (
        consumer(broker.connect(visibility_timeout=1), handle) as slow,
        consumer(broker.connect(visibility_timeout=1), lambda message: seen.append("stolen")) as other,
    ):
        thread = threading.Thread(target=drain, args=(slow, lambda: seen))
        thread.start()
        wait_until(lambda: seen, "the handler to begin")
        drain_for(other, 3.0)
        thread.join()
    assert seen == ["long"]
    assert (broker.waiting(), broker.claimed()) == (0, 0)


def test_a_long_lease_is_renewed_before_somebody_with_a_shorter_one_takes_it_for_over(broker: Broker) -> None:
    """A worker that was not told of the others' lease holds what it has."""
    broker.publish("held")
    held: list[Any] = []
    with consumer(broker.connect(visibility_timeout=3600), held.append) as connection:
        drain(connection, lambda: held)
        for which in ("the first renewal", "the second"):
            before = renewed_seconds(broker)
            wait_until(lambda before=before: renewed_seconds(broker) > before, which, seconds=6)  # type: ignore[misc]
        held[0].ack()


def renewed_seconds(broker: Broker) -> float:
    """Return when the one claimed message had its last sign of life, by the server's clock."""
    claimed: Any = broker.client.zrange(broker.prefix + "unacked_index", 0, -1, withscores=True)
    return float(claimed[0][1])


def drain_for(connection: Any, seconds: float) -> None:
    """Drain for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            connection.drain_events(timeout=0.1)
        except TimeoutError:
            continue


def test_an_acknowledgement_after_the_lease_touches_nothing(broker: Broker) -> None:
    """The message is somebody else's by then; nor does a late retry or dead letter go anywhere."""
    broker.publish("m")
    old, new = claims_of(broker), claims_of(broker)
    (first,) = old.claim([source(broker)], 1)
    wait_until(lambda: old.restore(0.05, 3600)[0] == 1, "the lease to be over")
    (second,) = new.claim([source(broker)], 1)
    assert first.tag != second.tag
    late = [Settlement(first.tag), Settlement(first.tag, broker.prefix + "dead", b"letter")]
    assert old.settle(late) == [False, False]
    assert (broker.claimed(), broker.waiting("dead")) == (1, 0)
    assert new.settle([Settlement(second.tag, broker.prefix + "dead", b"letter")]) == [True]
    assert (broker.claimed(), broker.waiting("dead"), broker.waiting()) == (0, 1, 0)


def test_a_renewal_tells_what_is_lost(broker: Broker) -> None:
    """And keeps the rest."""
    broker.publish("a", "b")
    claims = claims_of(broker)
    gone, kept = claims.claim([source(broker)], 2)
    broker.client.zrem(broker.prefix + "unacked_index", gone.tag)
    assert claims.renew() == [gone.tag]
    assert claims.held == [kept.tag]


def test_a_claim_is_fair_between_queues_and_urgent_first(broker: Broker) -> None:
    """Lists of one step take turns; an earlier step is emptied first."""
    broker.push(*[broker.message(n) for n in range(4)], queue="a")
    broker.push(broker.message("b"), queue="b")
    broker.push(broker.message("c"), queue="later")
    sources = [source(broker, "a"), source(broker, "b"), source(broker, "later", step=3, group=3)]
    claimed = claims_of(broker).claim(sources, 6)
    assert [each.queue for each in claimed] == ["a", "b", "a", "a", "a", "later"]


def test_what_is_given_back_keeps_its_place_and_says_so_once(broker: Broker) -> None:
    """At the front, whole, marked; again and again without growing."""
    broker.push(broker.message("first"), broker.message("second"))
    claims, sizes = claims_of(broker), []
    for _ in range(3):
        (claimed,) = claims.claim([source(broker)], 1)
        assert b"first" in base64.b64decode(json.loads(claimed.raw)["body"])
        assert claims.give_back([claimed.tag]) == 1
        sizes.append(broker.client.memory_usage(broker.prefix + "q"))
    assert sizes[1] == sizes[2]
    assert claims.give_back(["kz.nobody.0.1.0"]) == 0


def test_a_queue_of_any_name_gets_its_messages_back(broker: Broker) -> None:
    """The name is found in what kombu's hash holds."""
    for queue in ('a "quoted" one', "back\\slash", "ümläut ☃", 'a,"","b"]', "x"):
        broker.push(broker.message("m", queue), queue=queue)
        claims = claims_of(broker)
        (claimed,) = claims.claim([source(broker, queue)], 1)
        assert claims.give_back([claimed.tag]) == 1
        assert broker.waiting(queue) == 1, queue
        assert broker.claimed() == 0


def test_after_a_time_without_redis_nobody_is_robbed_at_once(own_redis: RedisServer) -> None:
    """All leases are over then; those who live get three seconds to say so."""
    broker = Broker(own_redis.url, "x")
    broker.publish("m")
    alive, other = claims_of(broker), claims_of(broker)
    (claimed,) = alive.claim([source(broker)], 1)
    assert other.restore(10, 3600)[0] == 0
    broker.client.hset(broker.prefix + "unacked_watch", "seen", time.time() - 60)
    broker.client.zadd(broker.prefix + "unacked_index", {claimed.tag: time.time() - 60})
    assert other.restore(10, 3600)[0] == 0
    assert alive.renew() == []
    wait_until(lambda: float(broker.client.hget(broker.prefix + "unacked_watch", "hold") or 0) < time.time(), "3 s")
    assert other.restore(10, 3600)[0] == 0
    assert alive.settle([Settlement(claimed.tag)]) == [True]
    broker.client.close()
