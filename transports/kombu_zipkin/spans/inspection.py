"""Whether a Redis is fit to hold what must not be lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import redis

from kombu_zipkin.errors import StreamUnavailable
from kombu_zipkin.spans.client import Client, connect, translated
from kombu_zipkin.spans.keys import DEFAULT_STREAM, GROUP, StreamKeys

OLDEST: Final = (6, 2)


@dataclass(frozen=True, slots=True)
class RelaySeen:
    """A relay, as the span stream has last seen it.

    Attributes:
        name: Its consumer's name: host, process id and a random part.
        pending: Entries that it holds.
        idle_ms: Milliseconds since it last had to do with the stream; one that runs shows itself every five seconds.
    """

    name: str
    pending: int
    idle_ms: int


def relays_of(url: str, *, stream: str = DEFAULT_STREAM) -> Sequence[RelaySeen]:
    """Return the relays that share a stream, those that were killed lately included; empty before there was any.

    Raises:
        StreamUnavailable: Redis did not answer.
    """
    keys, client = StreamKeys(stream), connect(url, timeout=5.0)
    try:
        with translated(f"look who reads {keys.stream}"):
            found: Any = client.xinfo_consumers(keys.stream, GROUP)
    except StreamUnavailable as error:
        if "NOGROUP" in str(error) or "no such key" in str(error):
            return ()
        raise
    finally:
        client.close()
    return [RelaySeen(each["name"].decode("utf-8", "replace"), each["pending"], each["idle"]) for each in found]


def server_time_ms(url: str) -> int:
    """Return the epoch milliseconds of Redis's clock.

    Raises:
        StreamUnavailable: Redis did not answer.
    """
    client = connect(url, timeout=5.0)
    try:
        with translated("ask Redis for the time"):
            seconds, microseconds = client.time()
    finally:
        client.close()
    return int(seconds) * 1000 + int(microseconds) // 1000


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
