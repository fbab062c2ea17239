"""kombu's Redis transport; an item that is no message goes to the dead-letter queue instead of killing the worker."""

import logging
from queue import Empty
from typing import Any

from kombu.transport import redis
from kombu.utils.encoding import bytes_to_str

from kombu_zipkin.broker.envelope import MalformedEnvelope, dead_envelope, dead_letter_queue, parse_envelope

_log = logging.getLogger(__name__)


class Channel(redis.Channel):
    """kombu 5.7's channel with one method of its own."""

    def _brpop_read(self, **options: Any) -> bool:
        """Read the answer to BRPOP and deliver the message.

        kombu's own parses the item outside of any protection: one that is not JSON ends the worker, one without
        properties counts as a lost connection, and both are gone.
        """
        try:
            answer = self._read_answer(options)
            if not answer:
                raise Empty
            key, raw = answer
            queue = bytes_to_str(key).rsplit(self.sep, 1)[0]
            self._queue_cycle.rotate(queue)
            try:
                envelope = parse_envelope(raw)
            except MalformedEnvelope as fault:
                self._set_aside(queue, raw, str(fault))
                raise Empty from fault
            self.connection._deliver(envelope, queue)
            return True
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()

    def _read_answer(self, options: dict[str, Any]) -> Any:
        try:
            return self.client.parse_response(self.client.connection, "BRPOP", **options)
        except self.connection_errors:
            self.client.connection.disconnect()
            raise

    def _set_aside(self, queue: str, raw: bytes, reason: str) -> None:
        self._put(dead_letter_queue(queue), dead_envelope(raw, queue, reason))
        _log.warning("malformed message in %s: %s; it is in %s now", queue, reason, dead_letter_queue(queue))


class Transport(redis.Transport):
    """Reached by ``Connection(url, transport="kombu_zipkin.broker:Transport")``; wire format and keys are kombu's."""

    Channel = Channel
