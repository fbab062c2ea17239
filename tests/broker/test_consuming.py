"""kombu's consumers on our transport: waiting, windows, malformed messages, outages."""

import threading
import time
from typing import Any

import kombu
import pytest

from tests.broker.conftest import OURS, STOCK, Broker, consumer, drain, taking
from tests.servers import RedisServer, wait_until

MALFORMED = {
    "not JSON": b"{oops",
    "no object": b"[1, 2]",
    "no properties": b'{"body": "e30="}',
    "bad base64": b'{"body": "abc", "properties": {"delivery_tag": "x", "body_encoding": "base64", "delivery_info": '
    b'{"exchange": "", "routing_key": "q"}}}',
    "wrong types": b'{"body": 7, "headers": [], "properties": {"delivery_tag": 1, "delivery_info": "x"}}',
    "deep nesting": b"[" * 100_000,
    "not UTF-8": b"\xff\xfe\x00",
    "too large": b'{"body": "' + b"x" * 2_000_000 + b'"}',
    "nothing": b"",
}


def test_messages_go_out_and_come_in(broker: Broker) -> None:
    """In order, with headers, and nothing is left."""
    broker.publish(*range(20), headers={"Case-Kept": None, "n": 1})
    seen: list[Any] = []
    with consumer(broker.connect(), taking(seen, lambda message: message)) as connection:
        drain(connection, lambda: len(seen) == 20)
    assert [message.payload for message in seen] == list(range(20))
    assert seen[0].headers == {"Case-Kept": None, "n": 1}
    assert (broker.waiting(), broker.claimed()) == (0, 0)


def test_an_idle_consumer_gets_a_message_at_once(broker: Broker) -> None:
    """In milliseconds, from any of its lists; it does not poll."""
    seen: list[float] = []
    connection = broker.connect(priority_steps=[0, 3, 6, 9])
    with consumer(connection, taking(seen, lambda message: time.monotonic()), "a", "b") as connection:
        drain_idle(connection)
        for number, queue in enumerate(("a", "b", "b\x06\x163", "a\x06\x169")):
            sent = time.monotonic()
            threading.Timer(0.05, broker.push, [broker.message("m")], {"queue": queue}).start()
            drain(connection, lambda many=number + 1: len(seen) == many)  # type: ignore[misc]
            assert seen[-1] - sent < 0.3
    assert broker.claimed() == 0


def drain_idle(connection: Any) -> None:
    """Drain until nothing comes."""
    with pytest.raises(TimeoutError):
        connection.drain_events(timeout=0.3)


def test_one_message_wakes_one_of_many_idle_consumers(own_redis: RedisServer) -> None:
    """No herd: Redis gives it to one, and the others are not asked."""
    broker = Broker(own_redis.url, "x")
    seen: list[Any] = []
    stop = threading.Event()

    def consume() -> None:
        with consumer(broker.connect(), taking(seen)) as connection:
            while not stop.is_set():
                try:
                    connection.drain_events(timeout=0.5)
                except TimeoutError:
                    continue

    threads = [threading.Thread(target=consume) for _ in range(6)]
    for thread in threads:
        thread.start()
    wait_until(lambda: broker.client.info("clients")["blocked_clients"] == 6, "six to wait")
    broker.client.config_resetstat()
    for number in range(20):
        broker.push(broker.message(number))
        wait_until(lambda many=number + 1: len(seen) == many, "it to be handled")  # type: ignore[misc]
    moved = broker.client.info("commandstats")["cmdstat_blmove"]["calls"]
    stop.set()
    for thread in threads:
        thread.join()
    assert moved <= 20 + 6 * 4  # one a message, and each waits anew every five seconds
    assert broker.claimed() == 0
    broker.client.close()


def test_a_full_window_takes_nothing_from_others(broker: Broker) -> None:
    """What comes to its waiting connection while it has no hand free goes back, for others."""
    held: list[Any] = []
    seen: list[Any] = []
    with (
        consumer(broker.connect(), held.append, "a", "b", prefetch_count=1) as full,
        consumer(broker.connect(), taking(seen), "b") as other,
    ):
        drain_idle(full)
        broker.push(broker.message("mine", "a"), queue="a")
        drain(full, lambda: held)
        broker.push(broker.message("yours", "b"), queue="b")
        with pytest.raises(TimeoutError):
            full.drain_events(timeout=0.3)
        drain(other, lambda: seen)
        held[0].ack()
    assert seen == ["yours"]
    assert (len(held), broker.claimed()) == (1, 0)


def test_priorities_are_kombus(broker: Broker) -> None:
    """0 is the most urgent."""
    for priority in (6, 0, 9, 3):
        broker.publish(priority, priority=priority)
    seen: list[Any] = []
    connection = broker.connect(priority_steps=[0, 3, 6, 9])
    with consumer(connection, taking(seen)) as connection:
        drain(connection, lambda: len(seen) == 4)
    assert seen == [0, 3, 6, 9]


def test_without_acknowledgements_nothing_is_recorded(broker: Broker) -> None:
    """``no_ack`` means at most once."""
    broker.publish("m")
    seen: list[Any] = []
    with consumer(broker.connect(), lambda message: seen.append(broker.claimed()), no_ack=True) as connection:
        drain(connection, lambda: seen)
    assert (seen, broker.claimed(), broker.waiting()) == ([0], 0, 0)


@pytest.mark.parametrize("fault", MALFORMED)
def test_a_malformed_message_costs_only_itself(broker: Broker, fault: str) -> None:
    """It lies in the dead-letter queue with the reason; its neighbours are delivered."""
    broker.push(broker.message("before"), MALFORMED[fault], broker.message("after"))
    seen: list[Any] = []
    connection = broker.connect(max_message_bytes=1_000_000)
    with consumer(connection, taking(seen)) as connection:
        drain(connection, lambda: len(seen) == 2)
    assert seen == ["before", "after"]
    assert (broker.waiting(), broker.claimed(), broker.waiting("q.dead")) == (0, 0, 1)
    with broker.connect() as connection:
        (letter,) = [connection.default_channel.basic_get("q.dead")]
        assert letter.headers["dead-letter-reason"].startswith("malformed message: ")
        assert bytes(letter.body) == MALFORMED[fault]
        letter.ack()


@pytest.mark.parametrize("text", [b'"\\ud800"', b"NaN", b"0x10", b"1e400", b'{"\\u0000": 1}'])
def test_what_luas_json_would_change_arrives_as_it_was_sent(broker: Broker, text: bytes) -> None:
    """The scripts do not parse a message; what Python cannot read is set aside, not mangled."""
    raw = broker.message("m")[:-1] + b', "extra": ' + text + b"}"
    broker.push(raw)
    seen: list[Any] = []
    with consumer(broker.connect(), taking(seen)) as connection:
        drain(connection, lambda: seen or broker.waiting("q.dead"))
    assert len(seen) + broker.waiting("q.dead") == 1
    assert broker.claimed() == 0


def test_a_requeued_message_goes_to_the_end_and_says_so(broker: Broker) -> None:
    """As with stock kombu."""
    broker.publish("a", "b")
    seen: list[Any] = []

    def handle(message: Any) -> None:
        seen.append((message.payload, message.delivery_info.get("redelivered", False)))
        message.requeue() if len(seen) == 1 else message.ack()

    with consumer(broker.connect(), handle) as connection:
        drain(connection, lambda: len(seen) == 3)
    assert seen == [("a", False), ("b", False), ("a", True)]


def test_what_a_leaving_consumer_holds_is_given_back(broker: Broker) -> None:
    """At once, to the front."""
    broker.publish("a", "b", "c")
    held: list[Any] = []
    with consumer(broker.connect(claim_at_once=2), held.append, prefetch_count=2) as connection:
        drain(connection, lambda: len(held) == 2)
        assert broker.claimed() == 2
    assert (broker.claimed(), broker.waiting()) == (0, 3)
    assert broker.client.keys(broker.prefix + "unacked_waiting*") == []


@pytest.mark.parametrize(("sender", "receiver"), [(STOCK, OURS), (OURS, STOCK)])
def test_stock_kombu_shares_the_queue(broker: Broker, sender: str, receiver: str) -> None:
    """Either side may be migrated first."""
    broker.publish({"n": 1}, transport=sender, headers={"h": "x"}, compression="zlib")
    seen: list[Any] = []
    with consumer(broker.connect(receiver), taking(seen, lambda message: message)) as connection:
        drain(connection, lambda: seen)
    assert (seen[0].payload, seen[0].headers["h"]) == ({"n": 1}, "x")
    assert broker.claimed() == 0


def test_stock_kombu_gives_back_what_ours_held_and_ours_what_stock_held(broker: Broker) -> None:
    """A consumer that died during the migration is found by whoever is left."""
    broker.publish("a")
    held: list[Any] = []
    ours = broker.connect()
    with consumer(ours, held.append) as connection:
        drain(connection, lambda: held)
        connection.default_channel.qos._delivered.clear()  # as if it had been killed
        connection.default_channel._keeper.close()
    stock = broker.connect(STOCK, visibility_timeout=0.1, unacked_restore_throttle=1)
    with consumer(stock, held.append) as connection:
        drain(connection, lambda: len(held) == 2)
        connection.default_channel.qos._delivered.clear()
    assert (held[1].payload, broker.claimed()) == ("a", 1)
    ours = broker.connect(stock_visibility_timeout=0.1, visibility_timeout=0.1)
    with consumer(ours, taking(held, lambda message: message)) as connection:
        drain(connection, lambda: len(held) == 3)
    assert (held[2].payload, broker.claimed()) == ("a", 0)


def test_what_stock_kombu_holds_is_its_own_for_an_hour(broker: Broker) -> None:
    """Its leases are not renewed: our minute would be too short for its long jobs."""
    broker.publish("a")
    held: list[Any] = []
    with (
        consumer(broker.connect(STOCK), held.append) as stock,
        consumer(broker.connect(visibility_timeout=0.2), held.append) as ours,
    ):
        drain(stock, lambda: held)
        drain_end = time.monotonic() + 2.5
        while time.monotonic() < drain_end:
            with pytest.raises(TimeoutError):
                ours.drain_events(timeout=0.3)
        held[0].ack()
    assert len(held) == 1


def test_consuming_goes_on_when_redis_is_full(own_redis: RedisServer) -> None:
    """It is what makes room again; and goes back to waiting when there is."""
    broker = Broker(own_redis.url, "x")
    broker.publish(*range(50))
    seen: list[Any] = []
    with consumer(broker.connect(), taking(seen)) as connection:
        broker.client.config_set("maxmemory", "1mb")
        end = time.monotonic() + 10
        while len(seen) < 50 and time.monotonic() < end:
            try:
                connection.drain_events(timeout=0.2)
            except (TimeoutError, *connection.channel_errors):
                continue
        broker.client.config_set("maxmemory", "0")
        broker.push(broker.message("more"))
        drain(connection, lambda: len(seen) == 51)
    assert (broker.waiting(), broker.claimed()) == (0, 0)
    broker.client.close()


def test_a_simple_queue_and_a_get_claim_as_well(broker: Broker) -> None:
    """What is got and not acknowledged is recorded."""
    broker.publish("a", "b")
    with broker.connect() as connection:
        queue = connection.SimpleQueue("q")
        message = queue.get(timeout=2)
        assert (message.payload, broker.claimed()) == ("a", 1)
        message.ack()
        got = kombu.Queue("q", kombu.Exchange(""), routing_key="q", channel=connection.default_channel).get()
        assert got is not None
        assert (got.payload, broker.claimed()) == ("b", 1)
        got.ack()
        queue.close()
    assert broker.claimed() == 0
