"""Reads claimed messages; what is none is set aside."""

import logging
from typing import Any

from kombu.utils.json import dumps

from kombu_zipkin.broker.claimed import Claimed, Settlement
from kombu_zipkin.broker.envelope import MalformedEnvelope, dead_envelope, dead_letter_queue, parse_envelope

_log = logging.getLogger(__name__)


class Opener:
    """Opens what a channel has claimed.

    Args:
        channel: Whose.
    """

    def __init__(self, channel: Any) -> None:
        self._channel = channel

    def open(self, claimed: Claimed) -> dict[str, Any] | None:
        """Read a message; what is none goes to the dead-letter queue, and None is returned."""
        try:
            envelope = parse_envelope(claimed.raw, self._channel.max_message_bytes)
        except MalformedEnvelope as fault:
            self._set_aside(claimed, str(fault))
            return None
        envelope["properties"]["delivery_tag"] = claimed.tag
        return envelope

    def _set_aside(self, claimed: Claimed, reason: str) -> None:
        dead = dead_letter_queue(claimed.queue)
        key = self._channel.global_keyprefix + dead
        text = dumps(dead_envelope(claimed.raw, claimed.queue, reason))
        if claimed.queue in self._channel.unrecorded:
            self._channel.plain_client().lpush(key, text)
        else:
            self._channel.claims.settle([Settlement(claimed.tag, key, text)])
        _log.warning("malformed message in %s: %s; it is in %s now", claimed.queue, reason, dead)
