"""Trace somebody's kombu code: one producer, one consumer, or every one of the process."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, Final, TypeVar

import kombu
from kombu.simple import SimpleBase

from kombu_zipkin.messaging.headers import TracedHeaders, outgoing, without_b3
from kombu_zipkin.messaging.receive import received
from kombu_zipkin.tracing import Kind, Tracer

_T = TypeVar("_T", kombu.Producer, kombu.Consumer)

_PUBLISH_PARAMETERS: Final = tuple(inspect.signature(kombu.Producer.publish).parameters)[2:-1]
"""What ``publish`` takes by position after the body, in kombu's own order."""
_HEADERS_AFTER_BODY: Final = 3  # priority, content type and encoding stand between, in ``_publish``

_IN_SCOPE: Final = "_kombu_zipkin_in_scope"
TRACES_ITSELF: Final = "traces_itself"
"""A handler with this attribute set opens its own CONSUMER span; `instrument_kombu` leaves it alone."""


class SelfTraced:
    """A handler of messages that opens its own CONSUMER span.

    Args:
        handle: Takes a message.
    """

    traces_itself: Final = True

    def __init__(self, handle: Callable[[Any], Any]) -> None:
        self._handle = handle

    def __call__(self, message: Any) -> Any:
        """Handle a message."""
        return self._handle(message)


def trace_producer(producer: kombu.Producer, tracer: Tracer, *, broker: str = "redis") -> kombu.Producer:
    """Make every ``publish`` of a producer a PRODUCER span, and send its context along; returns the producer.

    Args:
        producer: Traced from now on; `untrace` takes it back.
        tracer: Makes the spans.
        broker: The broker's service name in Zipkin.
    """
    producer.__dict__["publish"] = _TracedPublish(producer.publish, producer, tracer, broker)
    producer.__dict__["_publish"] = _SizedPublish(producer._publish)
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
    for name in ("publish", "_publish", "receive", "on_message"):
        traced = either.__dict__.get(name)
        if isinstance(traced, (_TracedPublish, _SizedPublish, _TracedHandler)):
            del either.__dict__[name]
            if name == "on_message":
                either.__dict__[name] = traced.inner
    return either


def instrument_kombu(tracer: Tracer, *, broker: str = "redis", consumers: bool = True) -> Callable[[], None]:
    """Trace every producer and consumer of this process, those that exist already too.

    Args:
        tracer: Makes the spans.
        broker: The broker's service name in Zipkin.
        consumers: False for producers alone: in a Celery worker a consumer only passes messages on to a pool.

    Returns:
        What undoes it.
    """
    before = {
        (kombu.Producer, "publish"): kombu.Producer.publish,
        (kombu.Producer, "_publish"): kombu.Producer._publish,
        (kombu.Consumer, "receive"): kombu.Consumer.receive,
        (kombu.Consumer, "on_message"): kombu.Consumer.on_message,
    }
    kombu.Producer.publish = _ClassWide(kombu.Producer.publish, _publish_of, tracer, broker)
    kombu.Producer._publish = _ClassWide(kombu.Producer._publish, _sized_of, tracer, broker)
    if consumers:
        kombu.Consumer.receive = _ClassWide(kombu.Consumer.receive, _receive_of, tracer, broker)
        kombu.Consumer.on_message = _ClassWideOnMessage(tracer, broker)

    def undo() -> None:
        for (owner, name), original in before.items():
            setattr(owner, name, original)

    return undo


class _TracedPublish:
    """``Producer.publish`` inside a PRODUCER span."""

    def __init__(self, inner: Callable[..., Any], producer: kombu.Producer, tracer: Tracer, broker: str) -> None:
        functools.update_wrapper(self, inner)  # kombu's ``ensure`` asks for the name
        self.inner = inner
        self._producer = producer
        self._tracer = tracer
        self._broker = broker

    def __call__(self, body: Any, *args: Any, **kwargs: Any) -> Any:
        given = {**dict(zip(_PUBLISH_PARAMETERS, args, strict=False)), **kwargs}
        own = given.get("headers") or {}
        if isinstance(own, TracedHeaders):  # the publisher has opened the span itself
            return self.inner(body, *args, **kwargs)
        exchange, destination = self._address(given)
        with self._tracer.child(f"publish {destination}", kind=Kind.PRODUCER, remote=self._broker) as span:
            span.tag("messaging.system", self._broker)
            span.tag("messaging.destination.name", destination)
            span.tag("messaging.operation.type", "send")
            if exchange:
                span.tag("kombu.exchange", exchange)
            if given.get("message_id"):
                span.tag("messaging.message.id", given["message_id"])
            headers = TracedHeaders({**without_b3(own), **outgoing(span.context)})
            headers.span = span
            return self.inner(body, **{**given, "headers": headers})

    def _address(self, given: dict[str, Any]) -> tuple[str, str]:
        """Return the exchange's name, and the routing key, or the exchange where there is none."""
        exchange = given.get("exchange") or self._producer.exchange
        name = str(getattr(exchange, "name", exchange) or "")
        key = given.get("routing_key")
        return name, str((self._producer.routing_key if key is None else key) or name or "queue")


class _SizedPublish:
    """``Producer._publish``, which gets the body as it goes over the wire."""

    def __init__(self, inner: Callable[..., Any]) -> None:
        functools.update_wrapper(self, inner)  # as above
        self.inner = inner

    def __call__(
        self, body: Any, priority: Any, kind: Any, encoding: Any, headers: Any, *args: Any, **kwargs: Any
    ) -> Any:
        if isinstance(headers, TracedHeaders) and headers.span is not None:
            headers.span.tag("messaging.message.body.size", len(body))
            headers = dict(headers)
        return self.inner(body, priority, kind, encoding, headers, *args, **kwargs)


class _TracedHandler:
    """A handler of messages inside a CONSUMER span; the message is its last argument."""

    def __init__(self, inner: Callable[..., Any], tracer: Tracer, broker: str) -> None:
        self.inner = inner
        self._tracer = tracer
        self._broker = broker

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        message = kwargs["message"] if "message" in kwargs else args[-1]
        if message.__dict__.get(_IN_SCOPE):  # traced twice: class-wide and by itself
            return self.inner(*args, **kwargs)
        message.__dict__[_IN_SCOPE] = True
        with received(message, self._tracer, broker=self._broker):
            return self.inner(*args, **kwargs)


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


def _sized_of(inner: Callable[..., Any], producer: Any, tracer: Tracer, broker: str) -> Callable[..., Any]:
    return _SizedPublish(inner)


def _receive_of(inner: Callable[..., Any], consumer: Any, tracer: Tracer, broker: str) -> Callable[..., Any]:
    return inner if _only_buffers(consumer) else _TracedHandler(inner, tracer, broker)


def _only_buffers(consumer: kombu.Consumer) -> bool:
    """Whether a consumer belongs to a ``SimpleQueue``: it keeps messages for ``get``, and handles nothing."""
    return any(isinstance(getattr(each, "__self__", None), SimpleBase) for each in consumer.callbacks or ())
