"""A short run of `tests.faults.jobs`: publishers, workers and Redis are killed, and every job is accounted for."""

import random
from pathlib import Path

from tests.faults.jobs import run


def test_every_job_is_accounted_for(tmp_path: Path) -> None:
    """Another seed each time; it is printed, and `python -m tests.faults.jobs --seed` repeats it."""
    seed = random.SystemRandom().randrange(1 << 31)
    assert run(tmp_path, seed, kills=25, jobs=2000, seconds=40, pause=0.002) == []
