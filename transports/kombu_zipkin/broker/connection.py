"""A kombu connection whose waits are bounded."""

from typing import Any, Final
from urllib.parse import urlsplit

from kombu import Connection

from kombu_zipkin.broker.channel import LEASE_SECONDS
from kombu_zipkin.errors import ConfigurationError

_REDIS_SCHEMES: Final = ("redis", "rediss")
_BROKER_NAMES: Final = {"redis": "redis", "rediss": "redis", "amqp": "rabbitmq", "amqps": "rabbitmq"}


def broker_name(url: str) -> str:
    """Return the broker's service name in Zipkin.

    Raises:
        ConfigurationError: The URL's scheme is not one this library knows.
    """
    scheme = urlsplit(url).scheme
    if scheme not in _BROKER_NAMES:
        raise ConfigurationError(f"broker URL: expected {' or '.join(_BROKER_NAMES)}://…, got scheme {scheme!r}")
    return _BROKER_NAMES[scheme]


def connect(
    url: str, *, namespace: str, timeout: float = 5.0, lease_seconds: float = LEASE_SECONDS, at_once: int = 1
) -> Connection:
    """Make a connection; nothing is sent yet.

    Args:
        url: ``redis://``, ``rediss://``, ``amqp://`` or ``amqps://``.
        namespace: Prefix of every key on Redis, so that other kombu programs may use the same database.
        timeout: Seconds for one command.
        lease_seconds: Seconds after which an unacknowledged message whose lease was not renewed is delivered again.
        at_once: Messages that one claim may take, within the prefetch window; on Redis.

    Raises:
        ConfigurationError: The URL's scheme is not one this library knows.
    """
    broker_name(url)
    if urlsplit(url).scheme not in _REDIS_SCHEMES:
        return Connection(url, connect_timeout=min(2.0, timeout), transport_options={"confirm_publish": True})
    options: dict[str, Any] = {
        # one quick retry, or the first connect to an absent server blocks for six seconds
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0.1,
        "interval_max": 0.1,
        "socket_timeout": timeout,
        "socket_connect_timeout": min(1.0, timeout),
        "socket_keepalive": True,
        "health_check_interval": 25,
        "visibility_timeout": lease_seconds,
        "global_keyprefix": f"{namespace}:",
        "priority_steps": [0],
        "max_connections": 50,
        "claim_at_once": at_once,
    }
    return Connection(url, transport="kombu_zipkin.broker:Transport", transport_options=options)
