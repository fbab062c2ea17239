"""Anybody's kombu code, traced: every way in and out, on a real Redis and in memory."""

from collections.abc import Callable, Iterator
from typing import Any

import kombu
import pytest
from kombu import Connection, Consumer, Exchange, Message, Producer, Queue
from kombu.mixins import ConsumerMixin

from kombu_zipkin.messaging import SENT, instrument_kombu, received, trace_consumer, trace_producer, untrace
from kombu_zipkin.tracing import Kind, SpanRecorder, TraceContext, Tracer, current_trace, extract
from tests.servers import wait_until

SENDER = TraceContext("463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312", None, True)


@pytest.fixture
def recorder() -> SpanRecorder:
    """Where the spans go."""
    return SpanRecorder()


@pytest.fixture
def tracer(recorder: SpanRecorder) -> Tracer:
    """A tracer of the service ``shop``."""
    return Tracer("shop", recorder, host="10.0.0.1")


@pytest.fixture(params=["redis", "memory", "amqp"])
def connection(request: pytest.FixtureRequest, redis_url: str, namespace: str) -> Iterator[Connection]:
    """A connection to a real Redis, to kombu's memory transport, and to a real RabbitMQ."""
    options: dict[str, Any]
    if request.param == "amqp":
        url, options = request.getfixturevalue("rabbitmq").url, {}
    elif request.param == "memory":
        url, options = "memory://", {"polling_interval": 0.01}
    else:
        url, options = redis_url, {"global_keyprefix": f"{namespace}:"}
    with Connection(url, transport_options=options) as connection:
        yield connection
        for queue in (namespace, f"{namespace}-2"):
            Queue(queue)(connection.channel()).delete()


@pytest.fixture
def queue(namespace: str) -> Queue:
    """A queue of this test's own."""
    return Queue(namespace, Exchange(""), routing_key=namespace)


def publish(producer: Producer, queue: Queue, **options: Any) -> None:
    """Publish one message."""
    producer.publish({"order": 7}, exchange="", routing_key=queue.name, declare=[queue], **options)


def consume(connection: Connection, consumer: Consumer) -> None:
    """Handle one message."""
    with consumer:
        connection.drain_events(timeout=5)


def raw(connection: Connection, queue: Queue) -> Message:
    """Take one message as it is on the wire."""
    bound = queue(connection.default_channel)
    return wait_until(bound.get, "a message", seconds=5)


def test_the_message_carries_the_producer_spans_context(
    connection: Connection, queue: Queue, tracer: Tracer, recorder: SpanRecorder
) -> None:
    """One ``b3`` header, without a parent, and the time of sending."""
    producer = trace_producer(Producer(connection), tracer)
    with tracer.root("buy") as root:
        publish(producer, queue)
    span = recorder.named(f"publish {queue.name}")
    message = raw(connection, queue)
    message.ack()
    assert message.headers["b3"] == f"{root.context.trace_id}-{span.span_id}-1"
    assert isinstance(message.headers[SENT], int)
    assert (span.kind, span.parent_id) == (Kind.PRODUCER, root.context.span_id)
    assert span.remote_endpoint is not None
    assert span.remote_endpoint.service_name == "redis"


def test_the_consumer_span_is_below_the_producer_span_and_not_the_same(
    connection: Connection, queue: Queue, tracer: Tracer, recorder: SpanRecorder
) -> None:
    """Beside it stands the bar of the time in the queue."""
    publish(trace_producer(Producer(connection), tracer), queue)
    bodies: list[object] = []

    def handle(body: object, message: Message) -> None:
        bodies.append(body)
        message.ack()

    consumer = Consumer(connection, [queue], callbacks=[handle])
    consume(connection, trace_consumer(consumer, tracer))
    sent, handled = recorder.named(f"publish {queue.name}"), recorder.named(f"process {queue.name}")
    waited = recorder.named(f"wait in {queue.name}")
    assert bodies == [{"order": 7}]
    assert (handled.kind, handled.trace_id, handled.parent_id) == (Kind.CONSUMER, sent.trace_id, sent.span_id)
    assert handled.span_id != sent.span_id
    assert handled.shared is False
    assert set(handled.annotations) == {"received", "acknowledged"}
    assert (waited.parent_id, waited.kind) == (sent.span_id, Kind.LOCAL)
    assert waited.local_endpoint is not None
    assert waited.local_endpoint.service_name == "redis"


def test_a_publish_inside_the_handler_continues_the_trace(
    connection: Connection, queue: Queue, tracer: Tracer, recorder: SpanRecorder, namespace: str
) -> None:
    """Whether or not it hands the message's headers on."""
    second = Queue(f"{namespace}-2", Exchange(""), routing_key=f"{namespace}-2")
    producer = trace_producer(Producer(connection), tracer)
    publish(producer, queue, headers={"tenant": "a"})

    def forward(message: Message) -> None:
        assert message.headers == {"tenant": "a"}, "the trace's headers are not the handler's business"
        producer.publish(
            message.payload, exchange="", routing_key=second.name, declare=[second], headers=message.headers
        )
        message.ack()

    consume(connection, trace_consumer(Consumer(connection, [queue], on_message=forward), tracer))
    handled, sent = recorder.named(f"process {queue.name}"), recorder.named(f"publish {second.name}")
    assert (sent.trace_id, sent.parent_id) == (handled.trace_id, handled.span_id)
    message = raw(connection, second)
    message.ack()
    assert message.headers["tenant"] == "a"


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_the_callers_headers_are_not_changed(
    connection: Connection, queue: Queue, tracer: Tracer, compression: str | None
) -> None:
    """kombu itself would write ``compression`` into them."""
    headers = {"tenant": "a", "B3": "stale"}
    publish(trace_producer(Producer(connection), tracer), queue, headers=headers, compression=compression)
    assert headers == {"tenant": "a", "B3": "stale"}
    message = raw(connection, queue)
    message.ack()
    assert "B3" not in message.headers


def test_positional_headers_are_found(connection: Connection, queue: Queue, tracer: Tracer) -> None:
    """kombu's ``publish`` takes them by position too."""
    producer = trace_producer(Producer(connection), tracer)
    queue(connection.default_channel).declare()
    producer.publish({"order": 7}, queue.name, None, False, False, 0, None, None, None, {"tenant": "a"})
    message = raw(connection, queue)
    message.ack()
    assert message.headers["tenant"] == "a"
    assert extract(message.headers) is not None


@pytest.mark.parametrize("settle", [lambda message: message.requeue(), lambda message: message.reject(requeue=True)])
def test_a_message_that_goes_back_keeps_its_trace(
    connection: Connection, queue: Queue, tracer: Tracer, recorder: SpanRecorder, settle: Callable[[Message], None]
) -> None:
    """The next delivery is another CONSUMER span below the same PRODUCER span."""
    publish(trace_producer(Producer(connection), tracer), queue)
    first = raw(connection, queue)
    with received(first, tracer, name="first"):
        settle(first)
    second = raw(connection, queue)
    with received(second, tracer, name="second"):
        second.ack()
    sent = recorder.named(f"publish {queue.name}")
    assert recorder.named("first").parent_id == recorder.named("second").parent_id == sent.span_id


@pytest.mark.parametrize("compression", [None, "gzip", "bzip2", "zlib"])
@pytest.mark.parametrize("serializer", ["json", "pickle", "raw"])
@pytest.mark.parametrize("retry", [False, True])
def test_every_way_to_publish_carries_the_trace(
    connection: Connection,
    queue: Queue,
    tracer: Tracer,
    recorder: SpanRecorder,
    compression: str | None,
    serializer: str,
    retry: bool,
) -> None:
    """Whatever the body is made into; its size on the wire is a tag."""
    body: Any = b"raw bytes" if serializer == "raw" else {"order": 7}
    policy = {"max_retries": 1, "interval_start": 0}
    trace_producer(Producer(connection), tracer).publish(
        body, exchange="", routing_key=queue.name, declare=[queue], serializer=serializer, compression=compression,
        retry=retry, retry_policy=policy if retry else None,
    )  # fmt: skip
    message = raw(connection, queue)
    message.accept = {"application/json", "application/x-python-serialize", "application/data"}
    with received(message, tracer, name="handled"):
        assert message.decode() == body
        message.ack()
    sent = recorder.named(f"publish {queue.name}")
    assert recorder.named("handled").parent_id == sent.span_id
    assert int(str(sent.tags["messaging.message.body.size"])) > 0


def test_an_exhausted_retry_marks_the_span_and_comes_out(tracer: Tracer, recorder: SpanRecorder) -> None:
    """The broker is not there."""
    options = {"max_retries": 0, "interval_start": 0}
    with Connection("redis://127.0.0.1:1/0", transport_options=options) as connection:
        producer = trace_producer(Producer(connection), tracer)
        with pytest.raises(kombu.exceptions.OperationalError):
            producer.publish({}, exchange="", routing_key="jobs", retry=True, retry_policy=options)
    assert "OperationalError" in str(recorder.named("publish jobs").tags["error"])


def test_a_simple_queue_is_traced_both_ways(
    connection: Connection, tracer: Tracer, recorder: SpanRecorder, namespace: str
) -> None:
    """``put`` by instrumentation, ``get`` by ``received``, for it has no scope."""
    undo = instrument_kombu(tracer)
    try:
        with connection.SimpleQueue(f"{namespace}-2") as simple:
            simple.put({"order": 7})
            message = simple.get(timeout=5)
            with received(message, tracer):
                message.ack()
    finally:
        undo()
    sent = recorder.named(f"publish {namespace}-2")
    assert recorder.named(f"process {namespace}-2").parent_id == sent.span_id


def test_nested_consumption_keeps_the_ambient_trace(
    connection: Connection, queue: Queue, tracer: Tracer, recorder: SpanRecorder
) -> None:
    """A ``Queue.get`` inside a request: the message's trace, then the request's again."""
    publish(trace_producer(Producer(connection), tracer), queue)
    with tracer.root("request") as request:
        message = raw(connection, queue)
        with received(message, tracer):
            message.ack()
        with tracer.child("after") as after:
            assert after.context.trace_id == request.context.trace_id
    assert recorder.named(f"process {queue.name}").trace_id == recorder.named(f"publish {queue.name}").trace_id
    assert recorder.named("after").parent_id == request.context.span_id


def test_an_exception_in_a_callback_marks_the_span(
    connection: Connection, queue: Queue, tracer: Tracer, recorder: SpanRecorder
) -> None:
    """And comes out as it does without us."""
    publish(Producer(connection), queue)

    def fails(body: object, message: Message) -> None:
        message.ack()
        raise LookupError("no such order")

    consumer = trace_consumer(Consumer(connection, [queue], callbacks=[fails]), tracer)
    with pytest.raises(LookupError, match="no such order"):
        consume(connection, consumer)
    assert recorder.named(f"process {queue.name}").tags["error"] == "LookupError: no such order"


def test_a_message_without_context_starts_a_trace(
    connection: Connection, queue: Queue, tracer: Tracer, recorder: SpanRecorder
) -> None:
    """Its sender is not traced, or no sender of ours."""
    publish(Producer(connection), queue, headers={"b3": "rubbish"})
    with received(raw(connection, queue), tracer) as span:
        assert current_trace() == span.context
    assert recorder.named(f"process {queue.name}").parent_id is None
    assert len(recorder.spans) == 1, "no bar without a sender"


def test_clocks_that_disagree_make_no_bar(
    connection: Connection, queue: Queue, tracer: Tracer, recorder: SpanRecorder
) -> None:
    """But a tag that says so."""
    publish(Producer(connection), queue, headers={"b3": f"{SENDER.trace_id}-{SENDER.span_id}-1", SENT: 1 << 61})
    with received(raw(connection, queue), tracer):
        pass
    (span,) = recorder.spans
    assert float(str(span.tags["job.clock_skew_ms"])) > 0


def test_a_whole_process_is_instrumented_and_again_not(
    connection: Connection, queue: Queue, tracer: Tracer, recorder: SpanRecorder
) -> None:
    """Producers and consumers that exist already too, by callbacks and ``on_message``; undone without a trace."""
    before = (kombu.Producer.publish, kombu.Consumer.receive, kombu.Consumer.on_message)
    producer = Producer(connection)
    consumers = [
        Consumer(connection, [queue], auto_declare=False, callbacks=[lambda body, message: message.ack()]),
        Consumer(connection, [queue], auto_declare=False, on_message=lambda message: message.ack()),
    ]
    undo = instrument_kombu(tracer)
    for consumer in consumers:
        publish(producer, queue)
        consume(connection, consumer)
    undo()
    assert [span.name for span in recorder.spans].count(f"process {queue.name}") == 2
    assert (kombu.Producer.publish, kombu.Consumer.receive, kombu.Consumer.on_message) == before
    publish(producer, queue)
    consume(connection, consumers[0])
    assert len(recorder.spans) == 6


def test_instrumented_twice_is_traced_once(
    connection: Connection, queue: Queue, tracer: Tracer, recorder: SpanRecorder
) -> None:
    """Class-wide and by itself."""
    undo = instrument_kombu(tracer)
    publish(trace_producer(Producer(connection), tracer), queue)
    consumer = Consumer(connection, [queue], callbacks=[lambda body, message: message.ack()])
    consume(connection, trace_consumer(consumer, tracer))
    undo()
    names = sorted(str(span.name) for span in recorder.spans)
    assert names == [f"process {queue.name}", f"publish {queue.name}", f"wait in {queue.name}"]


def test_untrace_takes_it_back(connection: Connection, queue: Queue, tracer: Tracer, recorder: SpanRecorder) -> None:
    """The objects work on as kombu made them."""
    handled: list[Message] = []
    producer = untrace(trace_producer(Producer(connection), tracer))
    consumer = untrace(trace_consumer(Consumer(connection, [queue], on_message=handled.append), tracer))
    publish(producer, queue)
    consume(connection, consumer)
    handled[0].ack()
    assert recorder.spans == []


def test_a_consumer_mixin_is_traced(
    connection: Connection, queue: Queue, tracer: Tracer, recorder: SpanRecorder
) -> None:
    """As most programs consume."""

    class Worker(ConsumerMixin):  # type: ignore[misc] # kombu has no types
        def __init__(self) -> None:
            self.connection = connection

        def get_consumers(self, consumer: Any, channel: Any) -> list[Any]:
            return [consumer([queue], callbacks=[self.handle])]

        def handle(self, body: object, message: Message) -> None:
            message.ack()
            self.should_stop = True

    undo = instrument_kombu(tracer)
    publish(Producer(connection), queue)
    try:
        Worker().run()
    except TimeoutError:
        pass
    finally:
        undo()
    assert recorder.named(f"process {queue.name}").kind is Kind.CONSUMER


def test_kombus_own_retry_idiom_works_on_a_traced_producer(
    connection: Connection, queue: Queue, tracer: Tracer, recorder: SpanRecorder
) -> None:
    """``connection.ensure(producer, producer.publish)``."""
    producer = trace_producer(Producer(connection), tracer)
    ensured = connection.ensure(producer, producer.publish, max_retries=1)
    ensured({"order": 7}, exchange="", routing_key=queue.name, declare=[queue])
    assert recorder.named(f"publish {queue.name}")


def test_headers_copied_from_another_message_do_not_pass_for_traced(
    connection: Connection, queue: Queue, tracer: Tracer, recorder: SpanRecorder
) -> None:
    """A hop that forwards them gets a span and a context of its own."""
    producer = trace_producer(Producer(connection), tracer)
    publish(producer, queue)
    first = raw(connection, queue)
    first.ack()
    publish(producer, queue, headers=first.headers)
    second = raw(connection, queue)
    second.ack()
    assert first.headers["b3"] != second.headers["b3"]
    assert len([span for span in recorder.spans if span.kind is Kind.PRODUCER]) == 2


def test_an_acknowledgement_after_the_span_changes_it_no_more(
    connection: Connection, queue: Queue, tracer: Tracer, recorder: SpanRecorder
) -> None:
    """It may be on its way already."""
    publish(Producer(connection), queue)
    message = raw(connection, queue)
    with received(message, tracer):
        pass
    message.ack()
    assert list(recorder.named(f"process {queue.name}").annotations) == ["received"]
