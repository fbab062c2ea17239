"""Whether what lies in a queue is a message at all."""

import base64
import binascii
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import orjson
from kombu.utils.json import loads

DEAD_LETTER_REASON: Final = "dead-letter-reason"
"""Header of a dead letter: why it is one."""

LOST: Final = "lost"
"""In a message's delivery_info: the claims of it that were lost, tag to reason; only where there are any."""

_LOST: Final = "lost:"  # before the tag, a member of the envelope: see taking_back.lua
_MEMBERS: Final = 5  # of a message that was never given back
_BODY_ENCODINGS: Final = (None, "base64", "utf-8")


class MalformedEnvelope(ValueError):
    """What lies in the queue is no kombu message; the message says why."""


def dead_letter_queue(queue: str) -> str:
    """Return the name of the queue that takes what a queue's consumer cannot process."""
    return f"{queue}.dead"


def parse_envelope(raw: bytes, max_bytes: int) -> dict[str, Any]:
    """Read an item of a queue; one that was given back says so as kombu's do, and lists its lost claims by tag.

    Raises:
        MalformedEnvelope: It is larger than ``max_bytes``, or kombu's consumer would die on it, or lose it.
    """
    if len(raw) > max_bytes:
        raise MalformedEnvelope(f"{len(raw)} bytes, expected at most {max_bytes}")
    envelope = _read(raw)
    if not isinstance(envelope, dict):
        raise MalformedEnvelope(f"expected an object, got {type(envelope).__name__}")
    properties = envelope.get("properties")
    if not isinstance(properties, dict) or not isinstance(properties.get("delivery_tag"), str):
        raise MalformedEnvelope("expected properties with a delivery_tag")
    info = properties.get("delivery_info")
    if not isinstance(info, dict) or not all(isinstance(info.get(name), str) for name in ("exchange", "routing_key")):
        raise MalformedEnvelope("expected delivery_info with exchange and routing_key")
    if not isinstance(envelope.get("headers", {}), dict):
        raise MalformedEnvelope("expected headers to be an object")
    _check_body(envelope.get("body"), properties.get("body_encoding"))
    if len(envelope) > _MEMBERS:
        _mark_redelivered(envelope, info)
    return envelope


def new_envelope(
    body: bytes, headers: Mapping[str, Any], queue: str, *, content_type: str = "application/json", **properties: str
) -> dict[str, Any]:
    """Make a message as kombu 5.7 puts it on a Redis list.

    Args:
        body: The encoded body.
        headers: The message's headers.
        queue: Where it goes.
        content_type: Of the body; JSON counts as UTF-8 text, anything else as binary.
        properties: Further properties, such as ``message_id``.
    """
    return {
        "body": base64.b64encode(body).decode("ascii"),
        "content-type": content_type,
        "content-encoding": "utf-8" if content_type == "application/json" else "binary",
        "headers": dict(headers),
        "properties": {
            **properties,
            "body_encoding": "base64",
            "delivery_tag": _delivery_tag(properties.get("message_id")),
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": queue},
            "priority": 0,
        },
    }


def _read(raw: bytes) -> Any:
    """Read JSON; what kombu's dialect alone can say (dates, NaN, lone surrogates) in kombu's way, ten times slower."""
    if b'"__type__"' not in raw:
        with suppress(orjson.JSONDecodeError):
            return orjson.loads(raw)
    try:
        return loads(raw)
    except Exception as error:
        raise MalformedEnvelope(f"not JSON: {type(error).__name__}") from error


def _mark_redelivered(envelope: dict[str, Any], info: dict[str, Any]) -> None:
    """Say what the scripts have added to a message that was given back where kombu says it."""
    lost = {name[len(_LOST) :]: envelope.pop(name) for name in list(envelope) if name.startswith(_LOST)}
    if envelope.pop("redelivered", False) or lost:
        info["redelivered"] = True
        envelope["headers"] = {**envelope.get("headers", {}), "redelivered": True}
    if lost:
        info[LOST] = lost


def _delivery_tag(message_id: str | None) -> str:
    return str(uuid.uuid4()) if message_id is None else f"{message_id}.{time.time_ns():x}"


def dead_envelope(raw: bytes, queue: str, reason: str) -> dict[str, Any]:
    """Wrap an item that is no message into one that can lie in the dead-letter queue."""
    headers = {DEAD_LETTER_REASON: f"malformed message: {reason}"}
    return new_envelope(raw, headers, dead_letter_queue(queue), content_type="application/octet-stream")


def _check_body(body: object, encoding: object) -> None:
    if body is not None and not isinstance(body, str):
        raise MalformedEnvelope(f"expected the body to be text, got {type(body).__name__}")
    if encoding not in _BODY_ENCODINGS:
        raise MalformedEnvelope(f"expected body_encoding base64, utf-8 or none, got {encoding!r:.40}")
    if encoding == "base64" and body is not None:
        try:
            base64.b64decode(body.encode("ascii"))
        except (binascii.Error, UnicodeEncodeError) as error:
            raise MalformedEnvelope(f"expected a base64 body: {error}") from error
