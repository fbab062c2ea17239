"""A short run of `tests.faults.kombu_kills`, on our transport."""

import random
from pathlib import Path

from tests.faults.kombu_kills import run
from tests.servers import RedisServer


def test_plain_kombu_code_loses_nothing_on_our_transport(own_redis: RedisServer, tmp_path: Path) -> None:
    """Another seed each time; what repeats is what was in a killed consumer's hands."""
    seed, kills = random.SystemRandom().randrange(1 << 31), 5
    print(f"seed {seed}")
    count = run(own_redis.url, "ours", tmp_path / "handled", seed, kills)
    assert count.lost == 0
    assert count.repeated <= kills
    assert count.published > 1000
