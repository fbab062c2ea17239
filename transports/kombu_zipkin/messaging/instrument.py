"""Trace somebody's kombu code: one producer, one consumer, or every one of the process."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import kombu

from kombu_zipkin.messaging.headers import SENT, outgoing, without_b3
from kombu_zipkin.messaging.receive import received
from kombu_zipkin.tracing import Kind, Tracer

_T = TypeVar("_T", kombu.Producer, kombu.Consumer)

_HEADERS_POSITION: Final = 9  # of ``headers`` and ``exchange`` in kombu 5.7's Producer.publish, after the body
_EXCHANGE_POSITION: Final = 11
_IN_SCOPE: Final = "_kombu_zipkin_in_scope"
TRACES_ITSELF: Final = "traces_itself"
"""A handler with this attribute set opens its own CONSUMER span; `instrument_kombu` leaves it alone."""


def trace_producer(producer: kombu.Producer, tracer: Tracer, *, broker: str = "redis") -> kombu.Producer:
    """Make every ``publish`` of a producer a PRODUCER span, and send its context along; returns the producer.

    Args:
        producer: Traced from now on; `untrace` takes it back.
        tracer: Makes the spans.
        broker: The broker's service name in Zipkin.
    """
    producer.__dict__["publish"] = _TracedPublish(producer.publish, producer, tracer, broker)
    return producer


def trace_consumer(consumer: kombu.Consumer, tracer: Tracer, *, broker: str = "redis") -> kombu.Consumer:
    """Handle every message of a consumer inside a CONSUMER span, by callbacks or ``on_message``; returns the consumer.

    Args:
        consumer: Traced from now on, also while it consumes; `untrace` takes it back.
        tracer: Makes the spans.
        broker: The broker's service name in Zipkin.
    """
    consumer.__dict__["receive"] = _TracedHandler(consumer.receive, tracer, broker)
    if consumer.on_message is not None:
        consumer.__dict__["on_message"] = _TracedHandler(consumer.on_message, tracer, broker)
    return consumer


def untrace(either: _T) -> _T:
    """Take back `trace_producer` or `trace_consumer`; one that was not traced stays as it is."""
    for name in ("publish", "receive", "on_message"):
        traced = either.__dict__.get(name)
        if isinstance(traced, (_TracedPublish, _TracedHandler)):
            del either.__dict__[name]
            if name == "on_message":
                either.__dict__[name] = traced.inner
    return either


def instrument_kombu(tracer: Tracer, *, broker: str = "redis") -> Callable[[], None]:
    """Trace every producer and consumer of this process, those that exist already too.

    Args:
        tracer: Makes the spans.
        broker: The broker's service name in Zipkin.

    Returns:
        What undoes it.
    """
    before = {
        (kombu.Producer, "publish"): kombu.Producer.publish,
        (kombu.Consumer, "receive"): kombu.Consumer.receive,
        (kombu.Consumer, "on_message"): kombu.Consumer.on_message,
    }
    kombu.Producer.publish = _ClassWide(kombu.Producer.publish, _publish_of, tracer, broker)
    kombu.Consumer.receive = _ClassWide(kombu.Consumer.receive, _receive_of, tracer, broker)
    kombu.Consumer.on_message = _ClassWideOnMessage(tracer, broker)

    def undo() -> None:
        for (owner, name), original in before.items():
            setattr(owner, name, original)

    return undo


class _TracedPublish:
    """``Producer.publish`` inside a PRODUCER span."""

    def __init__(self, inner: Callable[..., Any], producer: kombu.Producer, tracer: Tracer, broker: str) -> None:
        self.inner = inner
        self._producer = producer
        self._tracer = tracer
        self._broker = broker

    def __call__(self, body: Any, routing_key: str | None = None, *args: Any, **kwargs: Any) -> Any:
        given = _given(args, kwargs, _HEADERS_POSITION, "headers") or {}
        if SENT in given:  # the publisher has opened the span itself
            return self.inner(body, routing_key, *args, **kwargs)
        exchange = _given(args, kwargs, _EXCHANGE_POSITION, "exchange")
        exchange = getattr(exchange or self._producer.exchange, "name", exchange) or ""
        key = routing_key if routing_key is not None else self._producer.routing_key
        destination = str(key or exchange or "queue")
        with self._tracer.child(f"publish {destination}", kind=Kind.PRODUCER, remote=self._broker) as span:
            span.tag("messaging.system", self._broker)
            span.tag("messaging.destination.name", destination)
            span.tag("messaging.operation.type", "send")
            if exchange:
                span.tag("kombu.exchange", exchange)
            traced = {**without_b3(given), **outgoing(span.context)}
            if len(args) > _HEADERS_POSITION - 2:
                args = (*args[: _HEADERS_POSITION - 2], traced, *args[_HEADERS_POSITION - 1 :])
            else:
                kwargs["headers"] = traced
            return self.inner(body, routing_key, *args, **kwargs)


class _TracedHandler:
    """A handler of messages inside a CONSUMER span; the message is its last argument."""

    def __init__(self, inner: Callable[..., Any], tracer: Tracer, broker: str) -> None:
        self.inner = inner
        self._tracer = tracer
        self._broker = broker

    def __call__(self, *args: Any) -> Any:
        message = args[-1]
        if message.__dict__.get(_IN_SCOPE):  # traced twice: class-wide and by itself
            return self.inner(*args)
        message.__dict__[_IN_SCOPE] = True
        with received(message, self._tracer, broker=self._broker):
            return self.inner(*args)


class _ClassWide:
    """A traced method of kombu's class: binds to whichever instance it is called on."""

    def __init__(
        self,
        function: Callable[..., Any],
        bind: Callable[[Callable[..., Any], Any, Tracer, str], Callable[..., Any]],
        tracer: Tracer,
        broker: str,
    ) -> None:
        self._function = function
        self._bind = bind
        self._tracer = tracer
        self._broker = broker

    def __get__(self, instance: Any, owner: type) -> Callable[..., Any]:
        if instance is None:
            return self._function
        return self._bind(self._function.__get__(instance, owner), instance, self._tracer, self._broker)


class _ClassWideOnMessage:
    """``Consumer.on_message``, which kombu reads from the instance at every message."""

    def __init__(self, tracer: Tracer, broker: str) -> None:
        self._tracer = tracer
        self._broker = broker

    def __get__(self, instance: Any, owner: type) -> Callable[..., Any] | None:
        inner = instance.__dict__.get("on_message") if instance is not None else None
        if inner is None or getattr(inner, TRACES_ITSELF, False):
            return inner
        return _TracedHandler(inner, self._tracer, self._broker)

    def __set__(self, instance: Any, value: Callable[..., Any] | None) -> None:
        instance.__dict__["on_message"] = value


def _publish_of(inner: Callable[..., Any], producer: Any, tracer: Tracer, broker: str) -> Callable[..., Any]:
    return _TracedPublish(inner, producer, tracer, broker)


def _receive_of(inner: Callable[..., Any], consumer: Any, tracer: Tracer, broker: str) -> Callable[..., Any]:
    return _TracedHandler(inner, tracer, broker)


def _given(args: tuple[Any, ...], kwargs: dict[str, Any], position: int, name: str) -> Any:
    """Return an argument of ``publish`` that may be given by position (counted with the body) or by name."""
    return args[position - 2] if len(args) > position - 2 else kwargs.get(name)
