"""The stream entry: one batch of spans, in the fields that ``docs/format.md`` describes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kombu_zipkin.spans.deflate import Piece

VERSION: Final = 1
_OVERHEAD_BYTES: Final = 160  # what Redis keeps beside the payload: field names, numbers, ids


class MalformedEntry(ValueError):
    """A stream entry whose fields are not of this format; the message says which."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One batch of spans as it lies in the stream.

    Attributes:
        piece: The compressed spans.
        spans: How many there are; never 0.
        producer: Id of the process start that made the batch.
        sequence: Its number among that producer's batches, from 1.
        handed_over_ms: Epoch milliseconds when the oldest of the spans was handed over.
    """

    piece: Piece
    spans: int
    producer: str
    sequence: int
    handed_over_ms: int

    @property
    def charged_bytes(self) -> int:
        """What the entry costs of the stream's byte budget."""
        return len(self.piece.payload) + _OVERHEAD_BYTES

    def fields(self) -> list[bytes | str | int]:
        """Return the names and values in the order of the format."""
        return [
            *("v", VERSION, "n", self.spans, "z", self.charged_bytes, "p", self.producer, "s", self.sequence),
            *("t", self.handed_over_ms, "l", self.piece.length, "k", self.piece.crc, "d", self.piece.payload),
        ]


def parse_entry(fields: Mapping[bytes, bytes]) -> Entry:
    """Read the fields of a stream entry.

    Raises:
        MalformedEntry: A field is missing or is no number, or the version is another.
    """
    try:
        numbers = {name: int(fields[name.encode()]) for name in ("v", "n", "s", "t", "l", "k")}
        producer, payload = fields[b"p"].decode("ascii", "replace"), fields[b"d"]
    except KeyError as error:
        raise MalformedEntry(f"field {error} is missing") from error
    except ValueError as error:
        raise MalformedEntry(f"a field is not a number: {error}") from error
    if numbers["v"] != VERSION:
        raise MalformedEntry(f"format version: expected {VERSION}, got {numbers['v']}")
    if numbers["n"] < 1 or numbers["l"] < 0:
        raise MalformedEntry(f"expected spans >= 1 and length >= 0, got {numbers['n']} and {numbers['l']}")
    piece = Piece(payload, numbers["k"] & 0xFFFFFFFF, numbers["l"])
    return Entry(piece, numbers["n"], producer, numbers["s"], numbers["t"])
