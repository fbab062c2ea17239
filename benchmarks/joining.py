"""What the relay does to an entry, joining compressed pieces, beside opening, splicing and compressing them again."""

import gzip
import time
import zlib
from collections.abc import Callable

from benchmarks.goals import row
from benchmarks.handing_over import make_spans
from kombu_zipkin.spans import compress, encode, expand, join

ROUNDS = 15
ENTRIES = 100
SPANS = 100


def main() -> None:
    """Print the rows."""
    pieces = [compress(b",".join(map(encode, make_spans(SPANS)))) for _ in range(ENTRIES)]
    assert zlib.decompress(join(pieces), 31).count(b'"traceId"') == ENTRIES * SPANS
    ours = _us_an_entry(lambda: join(pieces))
    again = _us_an_entry(lambda: gzip.compress(b"[" + b",".join(map(expand, pieces)) + b"]", compresslevel=1, mtime=0))
    row("joining an entry of 100 spans", ours, "", "us")
    row("  of opening it and compressing it again", [one / other for one, other in zip(ours, again, strict=True)], "")


def _us_an_entry(work: Callable[[], object]) -> list[float]:
    found = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        work()
        found.append((time.perf_counter() - begun) * 1e6 / ENTRIES)
    return found
