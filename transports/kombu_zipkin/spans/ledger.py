"""The books of a span stream: where every span is that Redis ever acknowledged."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kombu_zipkin.spans.client import Client, connect, translated
from kombu_zipkin.spans.keys import DEFAULT_STREAM, StreamKeys

_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class ProducerBooks:
    """One producer's books, in spans: created = dropped by cause + held + accepted + vanished.

    Attributes:
        producer: Id of the process start.
        created: Handed over, by its last report.
        accepted: Appended, as the server counts.
        vanished: Acknowledged once, and unknown to the server after it lost data.
        dropped: Dropped by the producer, by cause.
        seen_ms: Epoch milliseconds of its last report.
    """

    producer: str
    created: int
    accepted: int
    vanished: int
    dropped: Mapping[str, int]
    seen_ms: int

    @property
    def held(self) -> int:
        """Still in the producer, by its last report; less than nothing while that report is older than a batch."""
        return self.created - self.accepted - self.vanished - sum(self.dropped.values())


@dataclass(frozen=True, slots=True)
class Ledger:
    """The server's books, in spans: appended = delivered + trimmed + dead + waiting.

    Attributes:
        totals: The counters: appended, delivered, trimmed, dead, purged, dead_trimmed, vanished; and bytes.
        waiting: Spans in the stream, counted from the stream itself.
        producers: The producers' books.
    """

    totals: Mapping[str, int]
    waiting: int
    producers: tuple[ProducerBooks, ...]

    @property
    def difference(self) -> int:
        """What the books cannot explain, in spans; 0, whatever happened."""
        totals = self.totals
        gone = totals.get("delivered", 0) + totals.get("trimmed", 0) + totals.get("dead", 0)
        return totals.get("appended", 0) - gone - self.waiting


def read_ledger(url: str, *, stream: str = DEFAULT_STREAM) -> Ledger:
    """Read the books; exact only while nobody appends or settles, for it reads page by page.

    Raises:
        StreamUnavailable: Redis did not answer.
    """
    keys = StreamKeys(stream)
    client = connect(url, timeout=10.0)
    try:
        with translated(f"read the books of {keys.stream}"):
            totals: Any = client.hgetall(keys.totals)
            producers: Any = client.zrange(keys.producers, 0, -1)
            books = tuple(_producer(client, keys, name.decode("ascii", "replace")) for name in producers)
            waiting = sum(int(fields.get(b"n", 0)) for fields in _entries(client, keys))
    finally:
        client.close()
    return Ledger({name.decode(): int(value) for name, value in totals.items()}, waiting, books)


def _entries(client: Client, keys: StreamKeys) -> Iterator[Mapping[bytes, bytes]]:
    start = "-"
    while True:
        page: Any = client.xrange(keys.stream, start, "+", count=_PAGE)
        for _, fields in page:
            yield fields
        if len(page) < _PAGE:
            return
        start = f"({page[-1][0].decode()}"


def _producer(client: Client, keys: StreamKeys, producer: str) -> ProducerBooks:
    raw: Any = client.hgetall(keys.producer(producer))
    counts = {name.decode(): int(value) for name, value in raw.items()}
    dropped = {name.removeprefix("dropped:"): spans for name, spans in counts.items() if name.startswith("dropped:")}
    accepted, vanished = counts.get("accepted", 0), counts.get("vanished", 0)
    return ProducerBooks(producer, counts.get("created", 0), accepted, vanished, dropped, counts.get("seen", 0))
