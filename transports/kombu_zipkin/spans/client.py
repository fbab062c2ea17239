"""Connections to the span stream's Redis, and its errors in this library's words."""

import encodings.idna  # noqa: F401 - a name's first look-up imports it; see docs/rationale.md about forks
from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from kombu_zipkin.errors import ConfigurationError, StreamUnavailable

Client = redis.Redis


def connect(url: str, *, timeout: float, connect_timeout: float = 2.0) -> Client:
    """Make a client; nothing is sent yet.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``.
        timeout: Seconds for one command; above the block time of a blocking one.
        connect_timeout: Seconds to reach the server.

    Raises:
        ConfigurationError: The URL is not one.
    """
    keepalive = {} if url.startswith("unix:") else {"socket_keepalive": True}
    try:
        client: Client = redis.Redis.from_url(
            url,
            socket_timeout=timeout,
            socket_connect_timeout=connect_timeout,
            **keepalive,
            health_check_interval=0,
            retry=Retry(NoBackoff(), 0),  # redis-py would send XADD again by itself
        )
        pool = client.connection_pool
        pool.connection_class(**pool.connection_kwargs)  # nothing is sent; an option of the URL may be none
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"Redis URL: {error}") from error
    return client


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn Redis's errors into `StreamUnavailable`, saying what was attempted.

    Every error counts as one that may pass: out of memory, a read-only replica, a wrong password that is being rotated.
    """
    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise StreamUnavailable(f"{doing}: {type(error).__name__}: {error}") from error
