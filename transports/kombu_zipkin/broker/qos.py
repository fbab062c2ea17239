"""Which messages a channel holds, and how they end."""

import logging
from typing import Any

from kombu.transport import redis, virtual

from kombu_zipkin.broker.claimed import Settlement

_log = logging.getLogger(__name__)


class QoS(redis.QoS):
    """kombu's, with the claims of our channel: what was recorded by the claim is not recorded again."""

    def append(self, message: Any, delivery_tag: str) -> None:
        """Note a message that was delivered."""
        virtual.QoS.append(self, message, delivery_tag)

    def ack(self, delivery_tag: str) -> None:
        """Settle a message; one that has gone to another consumer meanwhile stays there."""
        if not self.channel.claims.settle([Settlement(delivery_tag)])[0]:
            _log.warning("message %s acknowledged too late: its lease was over, it is delivered again", delivery_tag)
        self.let_go(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Throw a message away, or put it at the end of its queue."""
        if requeue:
            self.channel.claims.give_back([delivery_tag], at_front=False)
            self.let_go(delivery_tag)
        else:
            self.ack(delivery_tag)

    def let_go(self, delivery_tag: str) -> None:
        """Count a message as delivered no more; there is room for another. Any thread may call."""
        virtual.QoS.ack(self, delivery_tag)
        self.channel.intake.room()

    def restore_unacked(self, client: Any = None) -> list[Any]:
        """Give back everything this channel holds."""
        self._flush()
        self.channel.claims.give_back(list(self._delivered))
        self._delivered.clear()
        return []

    def restore_by_tag(self, tag: str, client: Any = None, leftmost: bool = False) -> None:
        """Give back one message; stock kombu's in its own way."""
        if tag.startswith("kz."):
            self.channel.claims.give_back([tag], at_front=not leftmost)
        else:
            super().restore_by_tag(tag, client, leftmost)

    def restore_visible(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the channel's `LeaseKeeper` restores, whatever the traffic."""
