"""What is wrong with a Redis is told before anything is lost."""

from pathlib import Path

import pytest

from kombu_zipkin.errors import StreamUnavailable
from kombu_zipkin.spans import inspect_redis
from tests.servers import RedisServer


def test_a_redis_as_it_should_be_gives_no_warning(redis_url: str) -> None:
    """With an append-only file, and nothing evicted."""
    assert inspect_redis(redis_url) == []


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        (
            "maxmemory-policy",
            "allkeys-lru",
            "maxmemory-policy is allkeys-lru, so Redis may evict the whole span stream",
        ),
        ("appendonly", "no", "so a restart loses what waits there: set appendonly to yes"),
    ],
)
def test_what_may_lose_spans_is_told_with_what_to_set(
    own_redis: RedisServer, setting: str, value: str, expected: str
) -> None:
    """One sentence each."""
    with own_redis.client() as client:
        client.config_set("save", "")
        client.config_set(setting, value)
    (found,) = inspect_redis(own_redis.url)
    assert expected in found


def test_what_the_user_may_not_look_at_is_left_out(own_redis: RedisServer) -> None:
    """Least rights are no fault."""
    with own_redis.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.execute_command("ACL", "SETUSER", "poor", "on", ">pw", "~*", "+ping", "+hello", "+client")
    assert inspect_redis(own_redis.url.replace("redis://", "redis://poor:pw@")) == []


def test_a_redis_that_may_save_snapshots_is_not_accused(own_redis: RedisServer) -> None:
    """Whether it does is in CONFIG, which many hosts forbid."""
    with own_redis.client() as client:
        client.config_set("save", "3600 1")
        client.config_set("appendonly", "no")
        assert "only saves snapshots" in "".join(inspect_redis(client))
        client.execute_command("ACL", "SETUSER", "half", "on", ">pw", "~*", "+info")
    assert inspect_redis(own_redis.url.replace("redis://", "redis://half:pw@")) == []


def test_a_redis_that_is_away_is_unavailable(tmp_path: Path) -> None:
    """As everywhere."""
    with pytest.raises(StreamUnavailable, match="look at Redis's settings"):
        inspect_redis(f"unix://{tmp_path}/none.sock")
