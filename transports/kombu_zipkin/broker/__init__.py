"""kombu's connection to the queue: bounded waits, and malformed messages set aside instead of killing the worker."""

from kombu_zipkin.broker.channel import LEASE_SECONDS
from kombu_zipkin.broker.claimed import Along, Settlement
from kombu_zipkin.broker.claims import claimed_seconds
from kombu_zipkin.broker.connection import broker_name, connect
from kombu_zipkin.broker.envelope import DEAD_LETTER_REASON, LOST, dead_letter_queue, new_envelope
from kombu_zipkin.broker.line import Lines
from kombu_zipkin.broker.transport import Transport

__all__ = [
    "DEAD_LETTER_REASON",
    "LEASE_SECONDS",
    "LOST",
    "Along",
    "Lines",
    "Settlement",
    "Transport",
    "broker_name",
    "claimed_seconds",
    "connect",
    "dead_letter_queue",
    "new_envelope",
]
