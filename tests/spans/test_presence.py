"""A relay that has nothing to do is seen."""

import pytest

from kombu_zipkin.spans import SpanGroup, relays_of
from tests.servers import VARIANTS, RedisServer, wait_until
from tests.spans.conftest import RedisVariants


@pytest.fixture(params=VARIANTS)
def redis_server(request: pytest.FixtureRequest, redis_variants: RedisVariants) -> RedisServer:
    """Every test here runs on each kind of server."""
    return redis_variants(request.param)


def test_who_has_nothing_to_read_shows_that_it_is_there(redis_url: str, namespace: str) -> None:
    """Reading nothing does not, before Redis 7.2; and showing it takes no entry from anybody."""
    group = SpanGroup(redis_url, "idler", stream=namespace)
    assert group.read(10, 1) == []

    def idle_ms() -> int:
        (seen,) = relays_of(redis_url, stream=namespace)
        assert (seen.name, seen.pending) == ("idler", 0)
        return seen.idle_ms

    wait_until(lambda: idle_ms() >= 200, "it to look idle")
    group.attend()
    assert idle_ms() < 200
    group.close()
