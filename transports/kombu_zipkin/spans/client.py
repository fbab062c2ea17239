"""Connections to the span stream's Redis, and its errors in this library's words."""

import encodings.idna  # noqa: F401 - a name's first look-up imports it; see docs/rationale.md about forks
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from kombu_zipkin.errors import ConfigurationError, StreamUnavailable

Client = redis.Redis

_SENTINEL_PORT: Final = 26379


def connect(url: str, *, timeout: float, connect_timeout: float = 2.0) -> Client:
    """Make a client; nothing is sent yet.

    Args:
        url: ``redis://``, ``rediss://``, ``unix://``, or for a primary that Sentinels know
            ``redis+sentinel://[user:password@]host:port,host:port/primary-name[/db]``.
        timeout: Seconds for one command; above the block time of a blocking one.
        connect_timeout: Seconds to reach the server.

    Raises:
        ConfigurationError: The URL is not one.
    """
    options: dict[str, Any] = {
        "socket_timeout": timeout,
        "socket_connect_timeout": connect_timeout,
        "health_check_interval": 0,
        "retry": Retry(NoBackoff(), 0),  # redis-py would send XADD again by itself
    }
    if not url.startswith("unix:"):
        options["socket_keepalive"] = True
    try:
        if urlsplit(url).scheme == "redis+sentinel":
            return _by_sentinels(url, options)
        client: Client = redis.Redis.from_url(url, **options)
        pool = client.connection_pool
        pool.connection_class(**pool.connection_kwargs)  # nothing is sent; an option of the URL may be none
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"Redis URL: {error}") from error
    return client


def _by_sentinels(url: str, options: dict[str, Any]) -> Client:
    """Ask the Sentinels for the primary at each connection; a fail-over ends the connections to the old one."""
    parts = urlsplit(url)
    addresses = [_address(each) for each in parts.netloc.rpartition("@")[2].split(",")]
    primary, _, database = parts.path.strip("/").partition("/")
    if not primary or (database and not database.isdigit()):
        raise ValueError("expected redis+sentinel://host:port,host:port/primary-name[/db]")
    asked = {**options, "socket_timeout": options["socket_connect_timeout"]}
    sentinel: Any = Sentinel(addresses, sentinel_kwargs=asked)  # type: ignore[no-untyped-call]
    user, password = (unquote(each) if each else None for each in (parts.username, parts.password))
    client: Client = sentinel.master_for(primary, username=user, password=password, db=int(database or 0), **options)
    return client


def _address(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError(f"expected host:port, got {text!r}")
    return parts.hostname, parts.port or _SENTINEL_PORT


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn Redis's errors into `StreamUnavailable`, saying what was attempted.

    Every error counts as one that may pass: out of memory, a read-only replica, a wrong password that is being rotated.
    """
    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise StreamUnavailable(f"{doing}: {type(error).__name__}: {error}") from error
