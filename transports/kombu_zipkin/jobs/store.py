"""The Redis beside the queue: records, catalogue, delayed jobs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from kombu_zipkin.broker import Lines
from kombu_zipkin.errors import BrokerUnavailable, ConfigurationError
from kombu_zipkin.jobs.scripts import read_script


class Store:
    """A client whose waits are bounded and whose errors are ours. Any thread may use it.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``.
        timeout: Seconds for one command.

    Raises:
        ConfigurationError: The URL is not one.
    """

    def __init__(self, url: str, *, timeout: float) -> None:
        keepalive = {} if url.startswith("unix:") else {"socket_keepalive": True}
        try:
            self._client: redis.Redis = redis.Redis.from_url(
                url,
                socket_timeout=timeout,
                socket_connect_timeout=min(1.0, timeout),
                **keepalive,
                retry=Retry(NoBackoff(), 0),
            )
        except ValueError as error:
            raise ConfigurationError(f"Redis URL: {error}") from error
        self._lines = Lines(self._client.connection_pool)

    def script(self, *names: str) -> Any:
        """Register a script of `kombu_zipkin.jobs`, for `run`; nothing is sent."""
        return self._client.register_script(read_script(*names))

    def run(self, doing: str, script: Any, keys: Sequence[Any], args: Sequence[Any]) -> Any:
        """Run a registered script, past the client: a third of a publish's time.

        Raises:
            BrokerUnavailable: Redis did not answer, or refused; the message says what was attempted.
        """
        try:
            return self._lines.run(script, keys, args)
        except (redis.RedisError, OSError) as error:
            raise BrokerUnavailable(f"{doing}: {type(error).__name__}: {error}") from error

    @contextmanager
    def using(self, doing: str) -> Iterator[redis.Redis]:
        """Lend the client for some commands.

        Raises:
            BrokerUnavailable: Redis did not answer, or refused; the message says what was attempted.
        """
        try:
            yield self._client
        except (redis.RedisError, OSError) as error:
            raise BrokerUnavailable(f"{doing}: {type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Close the connections."""
        self._lines.drop()
        self._client.close()
