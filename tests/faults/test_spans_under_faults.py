"""A short run of `tests.faults.spans`: everything is killed, frozen and cut, and every span is accounted for."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.spans import run
from tests.faults.system import roomy_zipkin
from tests.servers import ZipkinServer


@pytest.fixture(scope="module")
def big_zipkin() -> Iterator[ZipkinServer]:
    """A Zipkin that forgets nothing meanwhile."""
    server = roomy_zipkin()
    yield server
    server.close()


def test_every_span_is_accounted_for(big_zipkin: ZipkinServer, tmp_path: Path) -> None:
    """Another seed each time; it is printed, and `python -m tests.faults.spans --seed` repeats it."""
    seed = random.SystemRandom().randrange(1 << 31)
    assert run(tmp_path, big_zipkin, seed, kills=15, spans=2000, seconds=30) == []
