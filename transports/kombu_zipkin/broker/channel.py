"""kombu's Redis channel with an atomic claim: what is killed, stopped or cut off loses no message."""

import logging
from contextlib import suppress
from typing import Any, Final

import redis as redis_py
from kombu.transport import redis

from kombu_zipkin.broker.claimed import Claimed, ClaimKeys, Source
from kombu_zipkin.broker.claims import Claims
from kombu_zipkin.broker.intake import Intake
from kombu_zipkin.broker.leases import LeaseKeeper
from kombu_zipkin.broker.opener import Opener
from kombu_zipkin.broker.qos import QoS

_log = logging.getLogger(__name__)

LEASE_SECONDS: Final = 60
"""After this long without a renewed lease, a dead consumer's messages go back to their queue."""

_STOCK_LEASE_SECONDS: Final = 3600
_MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
_OPTIONS: Final = ("claim_at_once", "stock_visibility_timeout", "max_message_bytes")


class Channel(redis.Channel):
    """kombu 5.7's channel; how it claims, waits, settles and restores is its own. Wire format and keys are kombu's.

    Transport options beside kombu's:
        claim_at_once: Messages that one claim may take, within the prefetch window: as many as threads wait for them.
        stock_visibility_timeout: Seconds after which what stock kombu claimed is given back; its default, an hour.
        max_message_bytes: What is larger is set aside unread.

    The defaults differ: ``visibility_timeout`` is 60 s, for leases are renewed; sockets have timeouts.
    """

    QoS = QoS
    visibility_timeout = LEASE_SECONDS
    stock_visibility_timeout = _STOCK_LEASE_SECONDS
    claim_at_once = 1
    max_message_bytes = _MAX_MESSAGE_BYTES
    socket_timeout = 5.0
    socket_connect_timeout = 2.0
    socket_keepalive = True
    max_connections = 50
    from_transport_options = (*redis.Channel.from_transport_options, *_OPTIONS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._cached: Any = None
        self._plain: Any = None
        self._claims: Claims | None = None
        self._keeper: LeaseKeeper | None = None
        self.unrecorded: set[str] = set()  # queues whose consumers acknowledge nothing
        super().__init__(*args, **kwargs)
        self._opener = Opener(self)
        self.intake = Intake(self)

    @property
    def claims(self) -> Claims:
        """What this channel has claimed and not settled."""
        if self._claims is None:
            self._claims = Claims(self.plain_client(), self.claim_keys)
        return self._claims

    @property
    def claim_keys(self) -> ClaimKeys:
        """Where claims are kept."""
        prefix = self.global_keyprefix
        return ClaimKeys(prefix + self.unacked_index_key, prefix + self.unacked_key, prefix, self.sep)

    def basic_consume(self, queue: str, no_ack: bool, *args: Any, **kwargs: Any) -> Any:
        """Consume from a queue."""
        (self.unrecorded.add if no_ack and self.ack_emulation else self.unrecorded.discard)(queue)
        if not self.ack_emulation:
            self.unrecorded.add(queue)
        result = super().basic_consume(queue, no_ack, *args, **kwargs)
        self._keep_leases()
        self.intake.may_have_more()
        return result

    def basic_get(self, queue: str, no_ack: bool = False, **kwargs: Any) -> Any:
        """Get one message; None when there is none."""
        recorded = self.ack_emulation and not no_ack
        sources = [self._source(queue, step, recorded=recorded) for step in self.priority_steps]
        for claimed in self.claims.claim(sources, 1):
            self._keep_leases()
            envelope = self._opener.open(claimed)
            if envelope is None:
                return self.basic_get(queue, no_ack, **kwargs)
            message = self.Message(envelope, channel=self)
            if recorded:
                self.qos.append(message, message.delivery_tag)
            return message
        return None

    def sources(self) -> list[Source]:
        """Return the lists that are consumed from, the next queue in turn first."""
        queues = self._queue_cycle.consume(len(self.active_queues))
        return [self._source(queue, step, recorded=queue not in self.unrecorded)
                for step in self.priority_steps for queue in queues]  # fmt: skip

    def deliver(self, claimed: Claimed) -> bool:
        """Give a message to its consumer; False for one that was none and is set aside."""
        self._queue_cycle.rotate(claimed.queue)
        envelope = self._opener.open(claimed)
        if envelope is not None:
            self.connection._deliver(envelope, claimed.queue)
        return envelope is not None

    def _size(self, queue: str) -> int:
        """Count a queue's messages, without kombu's transaction, which Redis refuses when its memory is full."""
        with self.conn_or_acquire() as client, client.pipeline(transaction=False) as pipe:
            for step in self.priority_steps:
                pipe.llen(self._q_for_pri(queue, step))
            return sum(pipe.execute())

    def _source(self, queue: str, step: int, *, recorded: bool) -> Source:
        step = self.priority(step)
        return Source(self.global_keyprefix + self._q_for_pri(queue, step), queue, step, step, recorded)

    def _create_client(self, asynchronous: bool = False) -> Any:
        """Make a client once a pool: kombu makes one for each operation, which is half the cost of a publish."""
        if asynchronous:
            return super()._create_client(asynchronous=True)
        if self._cached is None:
            self._cached = super()._create_client()
        return self._cached

    def plain_client(self) -> Any:
        """A client that puts no prefix before keys."""
        if self._plain is None:
            self._plain = redis_py.Redis(connection_pool=self.pool)
        return self._plain

    @property
    def _failures(self) -> tuple[type[BaseException], ...]:
        return (*self.connection_errors, self.ResponseError, OSError)

    def _update_queue_cycle(self) -> None:
        super()._update_queue_cycle()
        wanted = {source.key for source in self.sources()} if self.active_queues else set()
        self.intake.listener.keep_only(wanted, self.plain_client(), self._failures)

    def _keep_leases(self) -> None:
        if self._keeper is None:
            info = self.connection.client
            place = f"{info.hostname or 'localhost'}:{info.port or self.connection.default_port}"
            self._keeper = LeaseKeeper(self, place)

    def _poll_error(self, type: Any, **options: Any) -> Any:  # noqa: A002 - kombu's name
        if type not in self.handlers:
            return type.readable()
        return super()._poll_error(type, **options)

    def _disconnect_pools(self) -> None:
        super()._disconnect_pools()
        self._cached = self._plain = self._claims = None
        intake = self.__dict__.get("intake")
        if intake is not None:
            intake.drop_line()

    def close(self) -> None:
        """Stop consuming, give back what is not settled, close the connections."""
        if not self.closed:
            if self._keeper is not None:
                self._keeper.close()
            self.intake.listener.keep_only(set(), self.plain_client(), self._failures)
            if self._qos is not None:
                with suppress(*self._failures):  # then it goes back when the lease is over
                    self._qos.restore_unacked_once()
            self.intake.listener.close()
        super().close()
