"""Spans and entries that must cost nothing but themselves."""

import random
from dataclasses import dataclass, field
from typing import Final

from kombu_zipkin.spans import Entry, Piece, ProducerReport, SpanStream, compress, encode
from tests.faults.app import make_trace, span_id, trace_id

SLOT: Final = 0xFFF0
"""Of the good spans beside the poison."""

_ID: Final = b'"traceId":"463ac35c9f6413ad48485a3953bb6124","id":"a2fb4a1d1a96d312"'
BAD_SPANS: Final = (
    b'{"traceId":"463AC35C9F6413AD48485A3953BB6124","id":"a2fb4a1d1a96d312"}',
    b'{"traceId":"463ac35c9f6413ad48485a3953bb6124","id":"0000000000000000"}',
    b'{"traceId":"463ac35c9f6413ad48485a3953bb6124"}',
    b'{%s,"timestamp":1.5}' % _ID,
    b'{%s,"duration":1.5}' % _ID,
    b'{%s,"tags":{"a":null}}' % _ID,
    b'{%s,"tags":{"a":[1]}}' % _ID,
    b'{%s,"kind":"client"}' % _ID,
    b'{%s,"localEndpoint":{"port":70000}}' % _ID,
    b'{%s,"annotations":[{"timestamp":1}]}' % _ID,
    b'{%s,"debug":"true"}' % _ID,
    b'{%s,"timestamp":99999999999999999999}' % _ID,
    b"17",
)
"""Refused by Zipkin, each by itself."""


@dataclass(slots=True)
class Poison:
    """Appends entries with something bad in them, as a producer of its own would.

    Attributes:
        dead: How many spans must end as dead letters.
        good: Ids of the spans that must arrive, by trace.
    """

    url: str
    run: int
    dead: int = 0
    good: dict[str, set[str]] = field(default_factory=dict)
    _made: int = 0
    _sequence: int = 0

    def append(self, rng: random.Random) -> None:
        """Append one entry: bad spans among good ones, or a payload that is not what it promises.

        Raises:
            StreamUnavailable: Redis is away; nothing was counted, and the next call is a new entry.
        """
        good = make_trace(self.run, SLOT, self._made)
        self._made += len(good)
        texts = [encode(span) for span in good]
        kind = rng.choice(("span", "span", "corrupt", "crc", "length", "bracket", "miscounted"))
        if kind == "span":
            bad = rng.sample(BAD_SPANS, rng.randint(1, 3))
            mixed = [*texts, *bad]
            rng.shuffle(mixed)
            entry, dead = self._entry(mixed), len(bad)
        else:
            entry, dead = _broken(self._entry(texts), kind, texts), len(texts)
        if kind in ("bracket", "miscounted"):  # Zipkin takes them; a writer that does so is seen by relay/vetting.py
            entry = entry._replace(producer=f"poison-{self._sequence}")
        stream = SpanStream(self.url, timeout=2.0)
        try:
            stream.append(entry, ProducerReport(0, 0, {}))
        finally:
            stream.close()
        self.dead += dead
        if kind == "span":
            first = self._made - len(good)
            wanted = self.good.setdefault(trace_id(self.run, SLOT, first), set())
            wanted.update(span_id(SLOT, first + place) for place in range(len(good)))

    def _entry(self, texts: list[bytes]) -> Entry:
        self._sequence += 1
        return Entry(compress(b",".join(texts)), len(texts), "poison", self._sequence, 1_700_000_000_000)


def _broken(entry: Entry, kind: str, texts: list[bytes]) -> Entry:
    """Return an entry that is not what it promises; its number of spans is right, so the books can be checked."""
    piece = entry.piece
    if kind == "corrupt":
        piece = Piece(piece.payload[:7] + b"\xff\xff" + piece.payload[9:], piece.crc, piece.length)
    elif kind == "crc":
        piece = Piece(piece.payload, piece.crc ^ 1, piece.length)
    elif kind == "length":
        piece = Piece(piece.payload, piece.crc, piece.length + 1)
    elif kind == "bracket":
        piece = compress(b"],[".join(texts))
    else:
        piece = compress(b",".join(texts[:-1]))
    return entry._replace(piece=piece)
