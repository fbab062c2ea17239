"""The spans' way, measured: ``python -m benchmarks.spans``, or some parts of it: ``… spans relaying latency``.

Each row has the median, the spread of the rounds, and the goal. A machine with other work on it shows it here.
"""

import sys
from collections.abc import Callable

from benchmarks import handing_over, joining, latency, peers, relaying
from benchmarks.goals import print_table

PARTS: dict[str, Callable[[], None]] = {
    "handing_over": handing_over.main,
    "joining": joining.main,
    "relaying": relaying.main,
    "latency": latency.main,
    "peers": peers.main,
}


if __name__ == "__main__":
    print_table(PARTS, sys.argv[1:])
