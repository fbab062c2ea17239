"""The books of a span stream: where every span is that Redis ever acknowledged."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kombu_zipkin.spans.client import Client, connect, translated
from kombu_zipkin.spans.keys import DEFAULT_STREAM, StreamKeys
from kombu_zipkin.spans.scripts import Scripts

_AT_ONCE_ENTRIES: Final = 2000
_AT_ONCE_BYTES: Final = 16 * 1024 * 1024
_PAGE: Final = 1000
_ATTEMPTS: Final = 3

SILENT_MS: Final = 30_000
"""Three report periods: whoever has held spans without a word for so long is dead, and they are lost."""


@dataclass(frozen=True, slots=True)
class ProducerBooks:
    """One producer's books, in spans: created = dropped by cause + held + lost + accepted + vanished.

    Attributes:
        producer: Id of the process start.
        created: Handed over, by its last report.
        accepted: Appended, as the server counts.
        vanished: Acknowledged once, and unknown to the server after it lost data.
        dropped: Dropped by the producer, by cause.
        seen_ms: Epoch milliseconds of its last report.
        silent_ms: How long ago that was, by the server's clock.
    """

    producer: str
    created: int
    accepted: int
    vanished: int
    dropped: Mapping[str, int]
    seen_ms: int
    silent_ms: int = 0

    @property
    def held(self) -> int:
        """Still in the producer, by its last report; less than nothing while that report is older than a batch."""
        return 0 if self.silent_ms > SILENT_MS else self._open

    @property
    def lost(self) -> int:
        """What it held when it was last heard of, once it has been silent for three report periods."""
        return self._open if self.silent_ms > SILENT_MS else 0

    @property
    def _open(self) -> int:
        return self.created - self.accepted - self.vanished - sum(self.dropped.values())


@dataclass(frozen=True, slots=True)
class Ledger:
    """The server's books, in spans: appended = delivered + trimmed + dead + purged + dead_trimmed + waiting.

    Attributes:
        totals: The counters: appended, delivered, trimmed, dead, purged, dead_trimmed, vanished, replayed; bytes and
            dead_bytes; and of producers long gone: created, accepted, lost, ``dropped:<cause>``.
        waiting: Spans in the stream, counted from the stream itself.
        producers: The producers' books.
        dead_letters: Spans in the dead letters, counted from these themselves.
        exact: Whether all of it is of one moment.
    """

    totals: Mapping[str, int]
    waiting: int
    producers: tuple[ProducerBooks, ...]
    dead_letters: int = 0
    exact: bool = True

    @property
    def difference(self) -> int:
        """What the books cannot explain, in spans; 0, whatever happened, unless somebody changed the stream by hand."""
        gone = sum(self.totals.get(name, 0) for name in ("delivered", "trimmed", "dead", "purged", "dead_trimmed"))
        return self.totals.get("appended", 0) - gone - self.waiting

    @property
    def dead_difference(self) -> int:
        """How many more spans the books count as dead than lie in the dead letters."""
        return self.totals.get("dead", 0) - self.dead_letters


def read_ledger(url: str, *, stream: str = DEFAULT_STREAM) -> Ledger:
    """Read the books.

    Up to 2,000 entries (and 16 MiB) they are read in one step, exact whatever happens meanwhile. Above that the entries
    are counted page by page: exact only if nothing moved, else ``exact`` is False and a difference says little.

    Raises:
        StreamUnavailable: Redis did not answer.
    """
    keys = StreamKeys(stream)
    client = connect(url, timeout=10.0)
    try:
        with translated(f"read the books of {keys.stream}"):
            return _read(client, keys)
    finally:
        client.close()


def _read(client: Client, keys: StreamKeys) -> Ledger:
    scripts = Scripts(client, keys, "books")
    named = [keys.stream, keys.totals, keys.dead, keys.producers]
    args = [_AT_ONCE_ENTRIES, _AT_ONCE_BYTES, keys.producer("")]
    for _ in range(_ATTEMPTS):
        now, totals, producers, *counted = scripts.run("books", named, args)
        books = _books(int(now), producers)
        if counted:
            return Ledger(_numbers(totals), int(counted[0]), books, int(counted[1]))
        waiting, dead = (_count(client, *each) for each in ((keys.stream, b"n"), (keys.dead, b"spans")))
        _, totals_after, *_ = scripts.run("books", named, [-1, *args[1:]])
        exact = _numbers(totals_after) == _numbers(totals)
        if exact:
            break
    return Ledger(_numbers(totals), waiting, books, dead, exact)


def _count(client: Client, key: str, name: bytes) -> int:
    return sum(int(value) for fields in _entries(client, key) if (value := fields.get(name, b"")).isdigit())


def _entries(client: Client, key: str) -> Iterator[Mapping[bytes, bytes]]:
    start = "-"
    while True:
        page: Any = client.xrange(key, start, "+", count=_PAGE)
        for _, fields in page:
            yield fields
        if len(page) < _PAGE:
            return
        start = f"({page[-1][0].decode()}"


def _books(now_ms: int, producers: list[Any]) -> tuple[ProducerBooks, ...]:
    return tuple(
        _producer(now_ms, name.decode("ascii", "replace"), _numbers(flat))
        for name, flat in zip(producers[::2], producers[1::2], strict=True)
    )


def _producer(now_ms: int, producer: str, counts: Mapping[str, int]) -> ProducerBooks:
    dropped = {name.removeprefix("dropped:"): spans for name, spans in counts.items() if name.startswith("dropped:")}
    created, accepted, vanished, seen = (counts.get(name, 0) for name in ("created", "accepted", "vanished", "seen"))
    return ProducerBooks(producer, created, accepted, vanished, dropped, seen, max(0, now_ms - seen))


def _numbers(flat: list[bytes]) -> dict[str, int]:
    return {name.decode(): int(value) for name, value in zip(flat[::2], flat[1::2], strict=True)}
