"""Many more spans than fit, with Redis gone, for long: ``python -m tests.spans.overload --seconds 600``."""

import argparse
import sys
import threading
import time
from pathlib import Path

from kombu_zipkin.spans import RedisStreamTransport
from tests.spans.making import make_span, make_spans

MAX_BYTES = 32 * 1024 * 1024
SPANS_A_SECOND = 5_000


def main() -> None:
    """Print the memory every so often; exit 1 when it grew beyond twice the budget, or a span is unaccounted for."""
    parser = argparse.ArgumentParser(description="Overload a transport whose Redis is gone.")
    parser.add_argument("--seconds", type=float, default=600.0)
    seconds = parser.parse_args().seconds
    transport = RedisStreamTransport("redis://127.0.0.1:1/0", max_bytes=MAX_BYTES)
    transport.report(make_spans(1))
    before, made, peak = rss_bytes(), 1, 0
    begun = told = time.monotonic()
    pause = threading.Event()
    while time.monotonic() - begun < seconds:
        for number in range(SPANS_A_SECOND // 100):
            large = {"body": "x" * 60_000} if number == 0 else {"job.id": f"{made:032}"}
            transport.report([make_span(tags=large)])
            made += 1
        peak = max(peak, rss_bytes() - before)
        if time.monotonic() - told > 15:
            told = time.monotonic()
            print(f"{told - begun:5.0f} s: {made} spans, memory grew by {peak / 2**20:.0f} MiB at most", flush=True)
        pause.wait(0.01)
    counts = transport.counts()
    print(f"{counts}; memory grew by {peak / 2**20:.0f} MiB, the budget is {MAX_BYTES / 2**20:.0f} MiB")
    whole = counts.created == made == counts.held + sum(counts.dropped.values())
    transport.close(0.1)
    sys.exit(0 if whole and peak < 2 * MAX_BYTES and counts.dropped.get("buffer_full", 0) > counts.held else 1)


def rss_bytes() -> int:
    """Return how much memory this process has at this moment."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


if __name__ == "__main__":
    main()
