"""The stream's byte budget: exact to the span under both policies, whatever happens in whatever order."""

import random
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from kombu_zipkin.errors import ConfigurationError
from kombu_zipkin.spans import (
    Appended,
    DeadLetters,
    DeadRecord,
    Entry,
    Piece,
    ProducerReport,
    Received,
    RedisStreamTransport,
    Settlement,
    SpanGroup,
    SpanStream,
    StreamKeys,
    read_ledger,
)
from kombu_zipkin.spans.stream import BudgetPolicy
from tests.servers import VARIANTS, RedisServer
from tests.spans.conftest import RedisVariants

POLICIES: tuple[BudgetPolicy, ...] = get_args(BudgetPolicy)


@pytest.fixture(params=VARIANTS)
def redis_server(request: pytest.FixtureRequest, redis_variants: RedisVariants) -> RedisServer:
    """Every test here runs on each kind of server."""
    return redis_variants(request.param)


def entry(sequence: int, spans: int, charged: int, producer: str = "p1") -> Entry:
    """Return a batch that costs so many bytes; nobody opens it here."""
    return Entry(Piece(b"x" * (charged - 160), 0, 1), spans, producer, sequence, 1_700_000_000_000)


def report(created: int) -> ProducerReport:
    """Return a producer's counts."""
    return ProducerReport(created, 0, {})


class Traffic:
    """One producer, two relays and an operator on one stream, and what they know of it themselves.

    Args:
        url: The Redis.
        name: The stream's name.
        policy: The budget's.
        seed: Of everything random.
    """

    BUDGET = 5_000

    def __init__(self, url: str, name: str, policy: BudgetPolicy, seed: int) -> None:
        self._random = random.Random(seed)
        self._url, self._name = url, name
        self._stream = SpanStream(url, stream=name, budget_bytes=self.BUDGET, budget_policy=policy)
        self._groups = [SpanGroup(url, f"relay-{n}", stream=name, dead_budget_bytes=3_000) for n in range(2)]
        self._dead = DeadLetters(url, stream=name)
        self._held: list[list[Received]] = [[], []]
        self._done: set[str] = set()
        self._sequence = 0
        self.appended = self.posted = self.full = 0

    def steps(self, count: int) -> Iterator[str]:
        """Do something, again and again; gives the name of what was done."""
        acts = [self.append] * 5 + [self.read] * 2 + [self.settle] * 3 + [self.claim, self.replay, self.purge]
        for _ in range(count):
            act = self._random.choice(acts)
            act()
            yield act.__name__

    def append(self) -> None:
        """Append a batch, sometimes twice; a refused one gives its number back."""
        spans = self._random.randint(1, 50)
        batch = entry(self._sequence + 1, spans, self._random.randint(200, 1_500))
        answer = self._stream.append(batch, report(self.appended + spans))
        if answer is Appended.FULL:
            self.full += 1
            return
        self._sequence += 1
        self.appended += spans
        if self._random.random() < 0.3:
            assert self._stream.append(batch, report(self.appended)) is Appended.REPEATED

    def read(self) -> None:
        """Have a relay read some entries."""
        relay = self._random.randrange(2)
        self._held[relay] += self._groups[relay].read(self._random.randint(1, 3), 1)

    def claim(self) -> None:
        """Have a relay take over what the other one holds, which may go on with it all the same."""
        relay = self._random.randrange(2)
        self._held[relay] += self._groups[relay].claim(2, 0)

    def settle(self) -> None:
        """Have a relay settle what it holds: Zipkin took it, all or but one span."""
        relay = self._random.randrange(2)
        held, self._held[relay] = self._held[relay], []
        for received in held:
            assert received.entry is not None
            dead = []
            if self._random.random() < 0.2:
                dead = [DeadRecord(1, ["reason", "refused", "span", b"{}" + b" " * 300])]
            delivered = received.entry.spans - len(dead)
            self._groups[relay].settle([Settlement(received, delivered, dead)])
            if received.id not in self._done:  # of two relays that hold the same entry, the first one counts
                self._done.add(received.id)
                self.posted += delivered

    def replay(self) -> None:
        """Replay some dead letters."""
        self._dead.replay([letter.id for letter in self._dead.list(limit=2)])

    def purge(self) -> None:
        """Purge a dead letter."""
        self._dead.purge([letter.id for letter in self._dead.list(limit=1)])

    def close(self) -> None:
        """Give the connections back."""
        self._stream.close()
        self._dead.close()
        for group in self._groups:
            group.close()


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("seed", range(2))
def test_the_books_close_after_every_step(
    redis_server: RedisServer, namespace: str, policy: BudgetPolicy, seed: int
) -> None:
    """Appends, repeats, reads, claims, settlements, trims, replays and purges in random order."""
    traffic, keys = Traffic(redis_server.url, namespace, policy, seed), StreamKeys(namespace)
    client = redis_server.client()
    for done in traffic.steps(200):
        ledger = read_ledger(redis_server.url, stream=namespace)
        totals = ledger.totals
        assert (ledger.difference, ledger.dead_difference, ledger.exact) == (0, 0, True), done
        assert totals.get("appended", 0) == traffic.appended
        assert totals.get("delivered", 0) == traffic.posted
        entries: Any = client.xrange(keys.stream)
        charged = [int(fields["z"]) for _, fields in entries]
        assert totals.get("bytes", 0) == sum(charged)
    trimmed = totals.get("trimmed", 0)
    client.close()
    traffic.close()
    if policy == "drop_oldest":
        assert trimmed > 0
    else:
        assert (trimmed, traffic.full > 0) == (0, True)


def test_what_a_relay_holds_is_never_trimmed(redis_server: RedisServer, namespace: str) -> None:
    """It may have reached Zipkin already; with nothing else left the newest is refused."""
    stream = SpanStream(redis_server.url, stream=namespace, budget_bytes=1_000, budget_policy="drop_oldest")
    group = SpanGroup(redis_server.url, "relay-1", stream=namespace)
    assert stream.append(entry(1, 3, 400), report(3)) is Appended.APPENDED
    (held,) = group.read(1, 100)
    assert stream.append(entry(2, 5, 400), report(8)) is Appended.APPENDED
    assert stream.append(entry(3, 7, 400), report(15)) is Appended.APPENDED  # trims 2, which nobody has read
    ledger = read_ledger(redis_server.url, stream=namespace)
    assert (ledger.totals["trimmed"], ledger.waiting, ledger.totals["bytes"]) == (5, 10, 800)
    assert stream.append(entry(4, 9, 900), report(24)) is Appended.FULL  # trimming 3 would not make room enough
    (also,) = group.read(1, 100)
    assert stream.append(entry(4, 9, 400), report(24)) is Appended.FULL
    assert group.settle([Settlement(held, 3), Settlement(also, 7)]) == 2
    assert stream.append(entry(4, 9, 400), report(24)) is Appended.APPENDED
    stream.close()
    group.close()
    ledger = read_ledger(redis_server.url, stream=namespace)
    assert (ledger.totals["delivered"], ledger.difference) == (10, 0)


def test_without_any_relay_the_oldest_is_dropped(redis_server: RedisServer, namespace: str) -> None:
    """Even all there is, for one batch that is larger than the budget."""
    stream = SpanStream(redis_server.url, stream=namespace, budget_bytes=1_000, budget_policy="drop_oldest")
    for sequence in range(1, 6):
        assert stream.append(entry(sequence, 1, 400), report(sequence)) is Appended.APPENDED
    ledger = read_ledger(redis_server.url, stream=namespace)
    assert (ledger.totals["trimmed"], ledger.waiting, ledger.difference) == (3, 2, 0)
    assert stream.append(entry(6, 1, 5_000), report(6)) is Appended.APPENDED
    stream.close()
    ledger = read_ledger(redis_server.url, stream=namespace)
    assert (ledger.totals["trimmed"], ledger.totals["bytes"], ledger.difference) == (5, 5_000, 0)


def test_refused_spans_are_accepted_once_there_is_room(redis_server: RedisServer, namespace: str) -> None:
    """The sequence stays free."""
    stream = SpanStream(redis_server.url, stream=namespace, budget_bytes=1_000)
    group = SpanGroup(redis_server.url, "relay-1", stream=namespace)
    assert stream.append(entry(1, 3, 800), report(3)) is Appended.APPENDED
    assert stream.append(entry(2, 5, 300), report(8)) is Appended.FULL
    group.settle([Settlement(group.read(1, 100)[0], 3)])
    assert stream.append(entry(2, 5, 300), report(8)) is Appended.APPENDED
    stream.close()
    group.close()
    ledger = read_ledger(redis_server.url, stream=namespace)
    assert (ledger.totals["appended"], ledger.waiting, ledger.difference) == (8, 5, 0)


def test_a_policy_that_is_none_is_refused() -> None:
    """At once, with the ones that there are; by the transport too."""
    with pytest.raises(ConfigurationError, match="refuse_newest"):
        RedisStreamTransport("redis://127.0.0.1:1/0", budget_policy="drop_newest")  # type: ignore[arg-type]
