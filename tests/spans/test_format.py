"""docs/format.md is true: its example can be written as it says, and read as relays read."""

import base64
import gzip
import json
import re
import zlib
from importlib.resources import files
from pathlib import Path

import pytest

from kombu_zipkin.spans import Piece, Settlement, SpanGroup, expand, join, read_ledger
from kombu_zipkin.spans.entry import MAX_LENGTH, MalformedEntry, parse_entry
from tests.servers import VARIANTS, RedisServer
from tests.spans.conftest import RedisVariants

DOCUMENT = (Path(__file__).parents[2] / "docs" / "format.md").read_text()


@pytest.fixture(params=VARIANTS)
def redis_server(request: pytest.FixtureRequest, redis_variants: RedisVariants) -> RedisServer:
    """Every test here runs on each kind of server."""
    return redis_variants(request.param)


def block(language: str) -> str:
    """Return the document's only block of a language."""
    (text,) = re.findall(rf"```{language}\n(.*?)\n```", DOCUMENT, re.DOTALL)
    return str(text)


SPANS = block("json").encode()
PAYLOAD = base64.b64decode(block("base64"))


def command(stream: str) -> list[bytes]:
    """Return the document's call of append.lua, for a stream of another name."""
    words = block("redis").replace("zipkin-spans", stream).split()
    script = (files("kombu_zipkin.spans") / "append.lua").read_bytes()
    return [{"append.lua": script, "PAYLOAD": PAYLOAD}.get(word, word.encode()) for word in words]


def test_the_numbers_of_the_example_are_right() -> None:
    """Length, CRC-32 and bytes charged."""
    length, crc, charged = map(int, re.findall(r"The other fields: `l` (\d+), `k` (\d+), `z` (\d+)", DOCUMENT)[0])
    assert (length, crc, charged) == (len(SPANS), zlib.crc32(SPANS), len(PAYLOAD) + 160)
    assert expand(Piece(PAYLOAD, crc, length)) == SPANS
    assert json.loads(gzip.decompress(join([Piece(PAYLOAD, crc, length)] * 2))) == json.loads(
        b"[%b,%b]" % (SPANS, SPANS)
    )


def test_the_example_is_appended_as_the_document_says(redis_server: RedisServer, namespace: str) -> None:
    """Once, however often it is sent; then a relay reads it, and the books close."""
    with redis_server.client() as client:
        assert [client.execute_command(*command(namespace)) for _ in range(2)] == ["appended", "repeated"]
    group = SpanGroup(redis_server.url, "relay-1", stream=namespace)
    (received,) = group.read(10, 100)
    assert received.entry is not None
    assert json.loads(gzip.decompress(join([received.entry.piece]))) == json.loads(b"[%b]" % SPANS)
    group.settle([Settlement(received, received.entry.spans)])
    group.close()
    ledger = read_ledger(redis_server.url, stream=namespace)
    (producer,) = ledger.producers
    assert (ledger.totals["delivered"], ledger.totals["bytes"], ledger.difference) == (2, 0, 0)
    assert (producer.producer, producer.created, producer.accepted, producer.held) == ("node-7f3a", 2, 2, 0)


@pytest.mark.parametrize(
    ("word", "instead", "said"),
    [(b"2", b"3", "n and z differ"), (b"362", b"361", "n and z differ"), (b"1", b"one", "expected numbers")],
)
def test_a_call_that_is_wrong_is_refused_before_anything_is_counted(
    redis_server: RedisServer, namespace: str, word: bytes, instead: bytes, said: str
) -> None:
    """Writers in other languages make mistakes too."""
    words = command(namespace)
    words[words.index(word, 7)] = instead
    with redis_server.client() as client:
        with pytest.raises(Exception, match=said):
            client.execute_command(*words)
        assert client.keys(f"*{namespace}*") == []


def test_another_compressor_is_as_good() -> None:
    """Full flush or sync flush: both end at a byte."""
    for flush in (zlib.Z_FULL_FLUSH, zlib.Z_SYNC_FLUSH):
        deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
        piece = Piece(deflater.compress(SPANS) + deflater.flush(flush), zlib.crc32(SPANS), len(SPANS))
        assert expand(piece) == SPANS
        assert json.loads(gzip.decompress(join([piece, piece]))) == json.loads(b"[%b,%b]" % (SPANS, SPANS))


def test_an_entry_beyond_the_limit_of_the_document_is_malformed() -> None:
    """32 MiB uncompressed."""
    words = command("any")
    fields = words[words.index(b"v") :]
    assert parse_entry(fields).spans == 2
    fields[fields.index(b"l") + 1] = str(MAX_LENGTH + 1).encode()
    assert MAX_LENGTH == 32 * 1024 * 1024
    with pytest.raises(MalformedEntry, match="33554432"):
        parse_entry(fields)
