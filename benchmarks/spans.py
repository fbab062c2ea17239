"""What a span costs on its way: ``python -m benchmarks.spans``.

Hand-over to the transport on the request's thread, beside py_zipkin's own way of encoding there; and the relay's work
on an entry, joining compressed pieces, beside opening, splicing and compressing them again.
"""

import gzip
import statistics
import time
import zlib
from collections.abc import Callable

from py_zipkin.encoding import Encoding, create_endpoint, get_encoder

from kombu_zipkin.spans import RedisStreamTransport, compress, encode, expand, join
from kombu_zipkin.tracing import Kind, Span, new_span_id, new_trace_id

ROUNDS = 15
ENTRIES = 100
SPANS = 100


def make_spans(count: int) -> list[Span]:
    """Return so many spans of one trace, each with three tags."""
    trace_id, endpoint = new_trace_id(), create_endpoint(80, "shop", "10.0.0.1")
    tags: dict[str, str | None] = {"job.id": new_span_id(), "job.task": "charge", "messaging.system": "redis"}
    return [
        Span(
            trace_id, "process charge", None, new_span_id(), Kind.CONSUMER, time.time(), 0.01, endpoint, tags=dict(tags)
        )
        for _ in range(count)
    ]


def seconds_of(work: Callable[[], object]) -> float:
    """Time one call."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def compare(title: str, unit: str, per: int, ours: Callable[[], object], peer: Callable[[], object]) -> None:
    """Run both in turn and print a row: medians in microseconds a unit, and the median of the ratios."""
    rounds = [(seconds_of(ours), seconds_of(peer)) for _ in range(ROUNDS + 1)][1:]
    mine, theirs = (statistics.median(each[side] for each in rounds) * 1e6 / per for side in (0, 1))
    ratios = sorted(one / other for one, other in rounds)
    spread = f"{ratios[0]:.2f}..{ratios[-1]:.2f}"
    print(f"{title:<44} {mine:9.2f} {theirs:9.2f} us/{unit:<6} {statistics.median(ratios):6.2f}  ({spread})")


def main() -> None:
    """Print the table."""
    spans = make_spans(SPANS)
    pieces = [compress(b",".join(map(encode, make_spans(SPANS)))) for _ in range(ENTRIES)]
    transport = RedisStreamTransport("redis://127.0.0.1:1/0", linger_ms=60_000, max_spans=10**9)
    theirs = get_encoder(Encoding.V2_JSON)
    print(f"{'':<44} {'here':>9} {'peer':>9} {'':<9} {'ratio':>6}  (spread of {ROUNDS} rounds)")
    compare(
        "hand-over, peer: py_zipkin encodes", "span", SPANS,
        lambda: transport.report(spans), lambda: theirs.encode_queue([theirs.encode_span(span) for span in spans]),
    )  # fmt: skip
    compare(
        "encode in the background, peer: py_zipkin's", "span", SPANS,
        lambda: [encode(span) for span in spans], lambda: [theirs.encode_span(span) for span in spans],
    )  # fmt: skip
    compare(
        "relay an entry of 100, peer: open and compress", "entry", ENTRIES,
        lambda: join(pieces),
        lambda: gzip.compress(b"[" + b",".join(map(expand, pieces)) + b"]", compresslevel=1),
    )  # fmt: skip
    assert zlib.decompress(join(pieces), 31).count(b'"traceId"') == ENTRIES * SPANS
    transport.close(0)


if __name__ == "__main__":
    main()
