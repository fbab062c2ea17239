"""Finished spans on their way: from the thread that made them into a Redis Stream, and out again for a relay."""

from kombu_zipkin.spans.buffer import SpanCounts
from kombu_zipkin.spans.dead_letter import DeadLetter
from kombu_zipkin.spans.dead_letters import DeadLetters, Moved
from kombu_zipkin.spans.deflate import CorruptPiece, Piece, compress, expand, join
from kombu_zipkin.spans.encoder import SpanEncoder, dump_span, encode
from kombu_zipkin.spans.entry import Entry
from kombu_zipkin.spans.group import SpanGroup
from kombu_zipkin.spans.inspection import RelaySeen, inspect_redis, relays_of, server_time_ms
from kombu_zipkin.spans.keys import DEFAULT_STREAM, GROUP, StreamKeys
from kombu_zipkin.spans.ledger import Ledger, ProducerBooks, read_ledger
from kombu_zipkin.spans.received import DeadRecord, Received, Settlement
from kombu_zipkin.spans.stream import Appended, ProducerReport, SpanStream
from kombu_zipkin.spans.transport import RedisStreamTransport

__all__ = [
    "DEFAULT_STREAM",
    "GROUP",
    "Appended",
    "CorruptPiece",
    "DeadLetter",
    "DeadLetters",
    "DeadRecord",
    "Entry",
    "Ledger",
    "Moved",
    "Piece",
    "ProducerBooks",
    "ProducerReport",
    "Received",
    "RedisStreamTransport",
    "RelaySeen",
    "Settlement",
    "SpanCounts",
    "SpanEncoder",
    "SpanGroup",
    "SpanStream",
    "StreamKeys",
    "compress",
    "dump_span",
    "encode",
    "expand",
    "inspect_redis",
    "join",
    "read_ledger",
    "relays_of",
    "server_time_ms",
]
