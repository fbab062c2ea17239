"""The dead-letter queue: what no attempt could process, kept with the reason."""

from collections.abc import Mapping
from typing import Any, Final

from kombu import Exchange, Message, Producer, Queue

from kombu_zipkin.broker import DEAD_LETTER_REASON, dead_letter_queue
from kombu_zipkin.messaging import TracedHeaders

_REASON_CHARACTERS: Final = 4096


def bury(message: Message, headers: Mapping[str, Any], reason: str) -> None:
    """Publish a message to the dead-letter queue of the queue it came from; acknowledging it is the caller's next step.

    Its own headers stay, the trace's too, so that a replay continues where it failed. Raises what the broker's
    connection raises.
    """
    queue = dead_letter_queue(str(message.delivery_info.get("routing_key") or "queue"))
    kept = {name: value for name, value in headers.items() if name != "compression"}
    declared = [] if _is_redis(message) else [Queue(queue, Exchange(""), routing_key=queue)]
    body = message.body if message.body is not None else b""
    Producer(message.channel).publish(
        body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body,
        exchange="",
        routing_key=queue,
        content_type=message.content_type or "application/octet-stream",
        content_encoding=message.content_encoding or "binary",
        headers=TracedHeaders({**kept, DEAD_LETTER_REASON: reason[:_REASON_CHARACTERS]}),
        message_id=message.properties.get("message_id"),
        declare=declared,
    )


def _is_redis(message: Message) -> bool:
    return bool(message.channel.connection.client.transport.driver_type == "redis")
