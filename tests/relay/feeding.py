"""Entries as a producer appends them, and what the books say when they are through."""

from kombu_zipkin.spans import Entry, Piece, ProducerReport, SpanStream, compress, encode, read_ledger
from tests.servers import wait_until
from tests.spans.making import make_spans


class Feed:
    """Appends entries as a producer does."""

    def __init__(self, url: str, stream: str) -> None:
        self._stream = SpanStream(url, stream=stream)
        self._sequence = 0

    def append(self, spans: list[bytes], piece: Piece | None = None) -> None:
        """Append one entry of encoded spans, or of a piece that says so."""
        self._sequence += 1
        batch = Entry(piece or compress(b",".join(spans)), len(spans), "feed", self._sequence, 1_700_000_000_000)
        self._stream.append(batch, ProducerReport(0, 0, {}))

    def close(self) -> None:
        """Give the connection back."""
        self._stream.close()


def encoded(count: int, name: str = "s") -> list[bytes]:
    """Return encoded spans."""
    return [encode(span) for span in make_spans(count, name)]


def wait_settled(url: str, stream: str, spans: int) -> None:
    """Wait until so many spans have left the stream, and the books close."""

    def settled() -> bool:
        ledger = read_ledger(url, stream=stream)
        return ledger.totals.get("delivered", 0) + ledger.totals.get("dead", 0) == spans and not ledger.waiting

    wait_until(settled, f"{spans} spans to be settled")
    assert read_ledger(url, stream=stream).difference == 0
