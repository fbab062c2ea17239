"""Jobs, measured: ``python -m benchmarks.jobs``, or some parts of it: ``… jobs batch latency``.

Each row has the median, the spread of the rounds, and the goal. A machine with other work on it shows it here.
"""

import sys
from collections.abc import Callable

from benchmarks import jobs_alone, jobs_beside_peers
from benchmarks.goals import print_table

PARTS: dict[str, Callable[[], None]] = {
    "peers": jobs_beside_peers.main,
    "batch": jobs_alone.batch,
    "latency": jobs_alone.latency,
    "idle": jobs_alone.idle,
    "memory": jobs_alone.memory,
}


if __name__ == "__main__":
    print_table(PARTS, sys.argv[1:])
