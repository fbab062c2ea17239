"""Whether a Redis is fit to hold what must not be lost."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import redis

from kombu_zipkin.spans.client import Client, connect, translated

OLDEST: Final = (6, 2)


def inspect_redis(server: str | Client) -> Sequence[str]:
    """Return what is wrong with a Redis for this purpose, a sentence each that says what to set; empty if nothing.

    What its user may not look at is left out.

    Args:
        server: Its URL, or a client of it, which stays open.

    Raises:
        StreamUnavailable: Redis did not answer.
    """
    client = connect(server, timeout=5.0) if isinstance(server, str) else server
    try:
        with translated("look at Redis's settings"):
            facts = _facts(client)
    finally:
        if isinstance(server, str):
            client.close()
    found = [_version(facts), _eviction(facts), _persistence(facts)]
    return [sentence for sentence in found if sentence]


def _facts(client: Client) -> Mapping[str, str]:
    """Return INFO's facts, and ``save`` of CONFIG if that may be read."""
    facts: dict[str, str] = {}
    try:
        info: Any = client.info()
        facts = {str(name): str(value) for name, value in info.items()}
        settings: Any = client.config_get("save")
        facts["save"] = str(settings.get("save", settings.get(b"save", "")))
    except (redis.exceptions.NoPermissionError, redis.ResponseError):
        pass
    return facts


def _version(facts: Mapping[str, str]) -> str | None:
    version = facts.get("valkey_version") or facts.get("redis_version")
    if version is None or tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) >= OLDEST:
        return None
    return f"Redis {version} is older than 6.2, the oldest that is supported: update it"


def _eviction(facts: Mapping[str, str]) -> str | None:
    policy = facts.get("maxmemory_policy", "noeviction")
    if policy == "noeviction" or (policy.startswith("volatile-")):
        return None
    return f"maxmemory-policy is {policy}, so Redis may evict the whole span stream: set it to noeviction"


def _persistence(facts: Mapping[str, str]) -> str | None:
    if facts.get("aof_enabled", "1") != "0" or "save" not in facts:
        return None
    if facts["save"]:
        return "Redis only saves snapshots, so a crash loses what came after the last one: set appendonly to yes"
    return "Redis keeps nothing on disk, so a restart loses what waits there: set appendonly to yes"
