"""Redis servers of several kinds, shared by the tests of the scripts."""

from collections.abc import Callable, Iterator

import pytest

from tests.servers import RedisServer, find_variant

RedisVariants = Callable[[str], RedisServer]


@pytest.fixture(scope="session")
def redis_variants(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisVariants]:
    """Return one server of each kind that is asked for; it runs until the session ends."""
    running: dict[str, RedisServer] = {}

    def variant(name: str) -> RedisServer:
        if name not in running:
            program = find_variant(name)
            if program is None:
                pytest.skip(f"no {name} on this machine")
            running[name] = RedisServer(tmp_path_factory.mktemp(name), program)
        return running[name]

    yield variant
    for server in running.values():
        server.close()
