"""One gzip member out of many pieces."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kombu_zipkin.spans import CorruptPiece, Piece, compress, expand, join


@given(st.lists(st.binary(min_size=1, max_size=2000), max_size=20))
def test_joined_pieces_are_one_gzip_member_with_commas_between(texts: list[bytes]) -> None:
    """Any gzip reads it, and finds the CRC and the length right."""
    body = join([compress(text) for text in texts])
    assert gzip.decompress(body) == b"[" + b",".join(texts) + b"]"
    inflater = zlib.decompressobj(31)
    inflater.decompress(body)
    assert inflater.eof
    assert inflater.unused_data == b""


@given(st.binary(max_size=5000))
def test_a_piece_expands_to_what_was_compressed(text: bytes) -> None:
    """Whatever it is."""
    assert expand(compress(text)) == text


@pytest.mark.parametrize(
    "spoil",
    [
        lambda piece: Piece(piece.payload[:-4], piece.crc, piece.length),
        lambda piece: Piece(piece.payload, piece.crc ^ 1, piece.length),
        lambda piece: Piece(piece.payload, piece.crc, piece.length + 1),
        lambda piece: Piece(piece.payload, piece.crc, piece.length - 1),
        lambda piece: Piece(b"\xff" * 40, piece.crc, piece.length),
        lambda piece: Piece(piece.payload + piece.payload, piece.crc, piece.length),
    ],
)
def test_a_corrupt_piece_is_found_out(spoil: object) -> None:
    """Zipkin answers one with 500, and it would take its neighbours along."""
    assert callable(spoil)
    with pytest.raises(CorruptPiece):
        expand(spoil(compress(b'{"id":"1"},{"id":"2"}')))
