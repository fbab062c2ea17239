"""An entry with its payload opened; the relay opens one only when Zipkin did not take it."""

from dataclasses import dataclass

import orjson

from kombu_zipkin.relay.burial import entry_of
from kombu_zipkin.spans import CorruptPiece, Received, dump_span, expand


@dataclass(frozen=True, slots=True)
class Opened:
    """A sound entry.

    Attributes:
        received: As it was received.
        spans: Its spans, each as JSON that can be posted by itself.
    """

    received: Received
    spans: list[bytes]


def open_entry(received: Received) -> Opened | str:
    """Open an entry, or return what is wrong with it: it is not what it promises."""
    entry = entry_of(received)
    try:
        spans = orjson.loads(b"[" + expand(entry.piece) + b"]")
        if len(spans) != entry.spans:
            return f"corrupt payload: expected {entry.spans} spans, found {len(spans)}"
        return Opened(received, [dump_span(span) for span in spans])
    except (CorruptPiece, ValueError, TypeError) as error:  # TypeError: nested too deeply to be written again
        return f"corrupt payload: {error}"
