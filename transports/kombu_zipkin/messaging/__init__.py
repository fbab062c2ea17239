"""Instrumentation of anybody's kombu code: the trace context travels with every message."""

from kombu_zipkin.messaging.headers import BACK_OFF, SENT, TracedHeaders, outgoing, sent_seconds, without_trace
from kombu_zipkin.messaging.instrument import SelfTraced, instrument_kombu, trace_consumer, trace_producer, untrace
from kombu_zipkin.messaging.receive import Delivery, received

__all__ = [
    "BACK_OFF",
    "SENT",
    "Delivery",
    "SelfTraced",
    "TracedHeaders",
    "instrument_kombu",
    "outgoing",
    "received",
    "sent_seconds",
    "trace_consumer",
    "trace_producer",
    "untrace",
    "without_trace",
]
