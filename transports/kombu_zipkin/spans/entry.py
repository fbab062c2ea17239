"""The stream entry: one batch of spans, in the fields that ``docs/format.md`` describes."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from kombu_zipkin.spans.deflate import Piece

VERSION: Final = 1
MAX_SPANS: Final = 1_000_000
MAX_LENGTH: Final = 32 * 1024 * 1024
"""Of the uncompressed spans: a relay may have to open an entry in memory, and Zipkin does."""

_VERSION: Final = b"1"
_NAMES: Final = [b"v", b"n", b"z", b"p", b"s", b"t", b"l", b"k", b"d"]
_OVERHEAD_BYTES: Final = 160  # what Redis keeps beside the payload: field names, numbers, ids


class MalformedEntry(ValueError):
    """A stream entry whose fields are not of this format; the message says which."""


class Entry(NamedTuple):
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


def parse_entry(parts: Sequence[bytes]) -> Entry:
    """Read a stream entry: the names and values of its fields in turn, as Redis sends them.

    Raises:
        MalformedEntry: A field is missing, no number or out of bounds, or the version is another.
    """
    return (
        _entry(parts[1::2]) if parts[::2] == _NAMES else parse_fields(dict(zip(parts[::2], parts[1::2], strict=False)))
    )


def parse_fields(fields: Mapping[bytes, bytes]) -> Entry:
    """Read a stream entry by the names of its fields.

    Raises:
        MalformedEntry: As above.
    """
    missing = [name.decode() for name in _NAMES if name not in fields]
    if missing:
        raise MalformedEntry(f"missing fields: {', '.join(missing)}")
    return _entry([fields[name] for name in _NAMES])


def _entry(values: Sequence[bytes]) -> Entry:
    version, spans, _, producer, sequence, at_ms, length, crc, payload = values
    if version != _VERSION:
        raise MalformedEntry(f"format version: expected {VERSION}, got {version.decode('utf-8', 'replace'):.40}")
    try:
        piece = Piece(payload, int(crc) & 0xFFFFFFFF, int(length))
        entry = Entry(piece, int(spans), producer.decode("ascii", "replace"), int(sequence), int(at_ms))
    except ValueError as error:
        raise MalformedEntry(f"a field is not a number: {error}") from error
    if not 1 <= entry.spans <= MAX_SPANS or not 0 <= piece.length <= MAX_LENGTH:
        raise MalformedEntry(
            f"expected 1..{MAX_SPANS} spans in 0..{MAX_LENGTH} bytes, got {entry.spans} spans in {piece.length} bytes"
        )
    return entry
