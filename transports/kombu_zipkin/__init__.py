"""Distributed tracing through a message queue: kombu on Redis, spans over a Redis Stream to Zipkin.

The rooms, each with a face of its own (``from kombu_zipkin.tracing import Tracer``):

- ``tracing``: the trace context (B3) and the spans of this process
- ``messaging``: instrumentation of anybody's kombu code
- ``spans``: finished spans on their way into a Redis Stream
- ``relay``: the program that carries them from the stream to Zipkin
- ``zipkin``: Zipkin's HTTP API
- ``jobs``: tasks, their publisher, consumer and records
- ``broker``: kombu's Redis transport, with malformed messages set aside
- ``runtime``: what a process shares with its host: settings, signals, logs, metrics
"""

from kombu_zipkin.errors import KombuZipkinError

__all__ = ["KombuZipkinError"]
