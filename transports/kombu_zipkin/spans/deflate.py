"""Join separately compressed pieces into one gzip member without opening them.

A piece is raw deflate data of comma-joined spans, ended by a full flush: it stops at a byte boundary and refers to
nothing before it. Stored blocks carry the brackets and the commas between the pieces, and the CRC-32 of the whole is
combined from the pieces' own. The relay spends 1.5 microseconds an entry on it, whatever the entry holds
(``benchmarks/spans.py``).

Source: RFC 1951, 3.2.4 (stored blocks), RFC 1952 (gzip); the idea is that of ``gzjoin`` in zlib's examples.
"""

import struct
import zlib
from collections.abc import Iterable
from typing import Final, NamedTuple

from isal import isal_zlib

_RAW_DEFLATE: Final = -15
_LEVEL: Final = 1
_FULL_FLUSH: Final = b"\x00\x00\xff\xff"


class Piece(NamedTuple):  # a third of what a frozen dataclass costs to make: `benchmarks/spans.py`
    """Some spans, compressed.

    Attributes:
        payload: Raw deflate blocks, the last one ended by a full flush and not marked final.
        crc: CRC-32 of the uncompressed bytes.
        length: Number of uncompressed bytes.
    """

    payload: bytes
    crc: int
    length: int


class CorruptPiece(ValueError):
    """A payload does not inflate to what its CRC and length promise."""


def compress(spans: bytes) -> Piece:
    """Compress comma-joined spans."""
    deflater = isal_zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW_DEFLATE)
    payload = deflater.compress(spans) + deflater.flush(zlib.Z_FULL_FLUSH)
    return Piece(payload, isal_zlib.crc32(spans), len(spans))


def expand(piece: Piece) -> bytes:
    """Return the comma-joined spans of a piece.

    Raises:
        CorruptPiece: The payload is not deflate data, or not what the CRC and length promise.
    """
    inflater = zlib.decompressobj(_RAW_DEFLATE)
    try:
        spans = inflater.decompress(piece.payload, piece.length + 1)
    except zlib.error as error:
        raise CorruptPiece(f"not deflate data: {error}") from error
    if len(spans) != piece.length or inflater.unconsumed_tail:
        raise CorruptPiece(f"expected {piece.length} bytes, got {len(spans)} or more")
    if inflater.eof or not piece.payload.endswith(_FULL_FLUSH):
        raise CorruptPiece("it does not end with a full flush")
    if zlib.crc32(spans) != piece.crc:
        raise CorruptPiece("the CRC-32 differs")
    return spans


def join(pieces: Iterable[Piece]) -> bytes:
    """Return one gzip member that holds the JSON list of all the pieces' spans, in order; ``[]`` for no piece."""
    combine = isal_zlib.crc32_combine
    parts, crc, length = [_HEADER, _OPEN], _CRC_OPEN, 1
    for piece in pieces:
        if length > 1:
            parts.append(_COMMA)
            crc, length = combine(crc, _CRC_COMMA, 1), length + 1
        parts.append(piece.payload)
        crc, length = combine(crc, piece.crc, piece.length), length + piece.length
    parts += [_CLOSE, struct.pack("<II", combine(crc, _CRC_CLOSE, 1), (length + 1) & 0xFFFFFFFF)]
    return b"".join(parts)


def _stored(data: bytes, *, final: bool = False) -> bytes:
    """Make a stored deflate block of up to 65,535 bytes, to stand at a byte boundary."""
    return bytes([final]) + struct.pack("<HH", len(data), 0xFFFF ^ len(data)) + data


_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_OPEN, _COMMA, _CLOSE = _stored(b"["), _stored(b","), _stored(b"]", final=True)
_CRC_OPEN, _CRC_COMMA, _CRC_CLOSE = (zlib.crc32(text) for text in (b"[", b",", b"]"))
