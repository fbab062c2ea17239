"""The spans' way, measured: ``python -m benchmarks.spans``, or some parts of it: ``… spans relaying latency``.

Each row has the median, the spread of the rounds, and the goal. A machine with other work on it shows it here.
"""

import sys
from collections.abc import Callable

from benchmarks import handing_over, joining, latency, peers, relaying
from benchmarks.goals import MISSED

PARTS: dict[str, Callable[[], None]] = {
    "handing_over": handing_over.main,
    "joining": joining.main,
    "relaying": relaying.main,
    "latency": latency.main,
    "peers": peers.main,
}


def main(names: list[str]) -> None:
    """Print the table, of all parts or of some; exits 1 when a goal was missed."""
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        sys.exit(f"expected some of {', '.join(PARTS)}, got {', '.join(unknown)}")
    print(f"{'':<66} {'median':>14} {'':<9} {'(spread)':<28} goal")
    for name in names or PARTS:
        PARTS[name]()
    print(f"\n{len(MISSED)} goals missed" + "".join(f"\n  {what}" for what in MISSED))
    sys.exit(1 if MISSED else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
