"""Spans: roots, children, and plain py_zipkin among them."""

import asyncio
import contextvars
import logging
import os
import socket
import sys
import threading

import pytest
from py_zipkin.transport import BaseTransportHandler
from py_zipkin.zipkin import zipkin_span

from kombu_zipkin.tracing import (
    NEVER,
    Kind,
    Span,
    SpanRecorder,
    TraceContext,
    TraceIdSampler,
    TraceLogFilter,
    Tracer,
    current_trace,
)
from kombu_zipkin.tracing.ambient import ambient

SENT = TraceContext("463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312", "05e3ac9a4f6e3b90", True)


@pytest.fixture
def recorder() -> SpanRecorder:
    """Where the spans go."""
    return SpanRecorder()


@pytest.fixture
def tracer(recorder: SpanRecorder) -> Tracer:
    """A tracer of the service ``shop``."""
    return Tracer("shop", recorder, host="10.0.0.1", port=80)


def test_a_root_without_context_starts_a_128_bit_trace(tracer: Tracer, recorder: SpanRecorder) -> None:
    """The root has no parent, and a span id of its own."""
    with tracer.root("buy", kind=Kind.SERVER):
        pass
    span = recorder.named("buy")
    assert len(span.trace_id) == 32
    assert span.parent_id is None
    assert span.kind is Kind.SERVER
    assert span.local_endpoint is not None
    assert span.local_endpoint == ("shop", "10.0.0.1", None, 80)


@pytest.mark.parametrize("kind", [Kind.SERVER, Kind.CLIENT, Kind.PRODUCER, Kind.CONSUMER])
def test_a_root_of_any_kind_continues_a_trace_with_an_id_of_its_own(
    tracer: Tracer, recorder: SpanRecorder, kind: Kind
) -> None:
    """The sender's span is the parent, never shared."""
    with tracer.root("process jobs", kind=kind, context=SENT, remote="redis"):
        pass
    span = recorder.named("process jobs")
    assert (span.trace_id, span.parent_id, span.kind) == (SENT.trace_id, SENT.span_id, kind)
    assert span.span_id not in (SENT.span_id, SENT.parent_id)
    assert span.shared is False
    assert span.remote_endpoint is not None
    assert span.remote_endpoint.service_name == "redis"


def test_plain_zipkin_span_inside_is_a_child_as_context_manager_and_decorator(
    tracer: Tracer, recorder: SpanRecorder
) -> None:
    """py_zipkin code of old needs no change."""

    @zipkin_span("shop", span_name="decorated")
    def decorated() -> None:
        pass

    with tracer.root("buy") as root, zipkin_span("shop", span_name="plain"):
        decorated()
    plain = recorder.named("plain")
    assert plain.parent_id == root.context.span_id
    assert recorder.named("decorated").parent_id == plain.span_id
    assert plain.local_endpoint is not None
    assert plain.local_endpoint.ipv4 == "10.0.0.1"


def test_a_child_inside_py_zipkins_own_root_joins_that_root_and_its_transport(tracer: Tracer) -> None:
    """Whoever has a root already keeps it."""
    transport = Memory()
    with zipkin_span("old", span_name="theirs", transport_handler=transport, sample_rate=100) as theirs:
        assert theirs.zipkin_attrs is not None
        with tracer.child("publish jobs", kind=Kind.PRODUCER, remote="redis") as ours:
            assert ours.context.trace_id == theirs.zipkin_attrs.trace_id
            assert ours.context.parent_id == theirs.zipkin_attrs.span_id
    assert '"PRODUCER"' in transport.payloads[0]
    assert "publish jobs" in transport.payloads[0]


def test_a_child_outside_any_trace_is_the_root_of_a_new_one(tracer: Tracer, recorder: SpanRecorder) -> None:
    """A publish in a script is traced too."""
    with tracer.child("publish jobs", kind=Kind.PRODUCER):
        pass
    assert recorder.named("publish jobs").parent_id is None


def test_an_unsampled_trace_is_not_reported_and_still_propagates(recorder: SpanRecorder) -> None:
    """The decision goes along with the ids."""
    tracer = Tracer("shop", recorder, sampler=NEVER, host="10.0.0.1")
    with tracer.root("buy") as root, tracer.child("publish") as child, zipkin_span("shop", span_name="x"):
        context = current_trace()
    assert recorder.spans == []
    assert (root.context.sampled, child.context.sampled) == (False, False)
    assert context is not None
    assert context.sampled is False
    assert context.trace_id == root.context.trace_id


@pytest.mark.parametrize(("sent", "sampled"), [(True, True), (False, False)])
def test_a_decision_that_came_along_is_never_made_again(recorder: SpanRecorder, sent: bool, sampled: bool) -> None:
    """Whatever the local sampler would say."""
    sampler = NEVER if sent else TraceIdSampler(1.0)
    with Tracer("shop", recorder, sampler=sampler, host="10.0.0.1").root("x", context=SENT.decided(sent)) as span:
        assert span.context.sampled is sampled


def test_a_lone_state_starts_a_new_trace_with_that_state(tracer: Tracer, recorder: SpanRecorder) -> None:
    """``b3: 0`` says: do not report what begins here."""
    with tracer.root("x", context=TraceContext(None, None, sampled=False)) as span:
        assert span.context.trace_id is not None
    assert recorder.spans == []


def test_debug_reaches_every_span_whatever_the_sampler_says(recorder: SpanRecorder) -> None:
    """Also those that plain py_zipkin made, which knows no debug."""
    tracer = Tracer("shop", recorder, sampler=NEVER, host="10.0.0.1")
    debug = TraceContext(SENT.trace_id, SENT.span_id, None, True, debug=True)
    with tracer.root("x", context=debug), tracer.child("y"), zipkin_span("shop", span_name="z"):
        context = current_trace()
    assert [span.debug for span in recorder.spans] == [True, True, True]
    assert context is not None
    assert context.debug


def test_an_exception_passes_through_and_marks_the_span(tracer: Tracer, recorder: SpanRecorder) -> None:
    """By type and message."""
    with pytest.raises(KeyError), tracer.root("x"):
        raise KeyError("gone")
    assert recorder.named("x").tags["error"] == "KeyError: 'gone'"


def test_an_exception_that_cannot_be_written_does_not_hide_itself(tracer: Tracer, recorder: SpanRecorder) -> None:
    """The work's own exception comes out, whatever its text does."""

    class Unwritable(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    with pytest.raises(Unwritable), tracer.root("x"):
        raise Unwritable
    assert recorder.named("x").tags["error"] == "Unwritable: <Unwritable>"


def test_tags_take_any_value_as_text(tracer: Tracer, recorder: SpanRecorder) -> None:
    """Zipkin knows text only."""
    with tracer.root("x") as span:
        span.tag("n", 3)
        span.tag("ok", True)
        span.tag("none", None)
    assert recorder.named("x").tags == {"n": "3", "ok": "true", "none": "None"}


def test_a_reporter_that_raises_breaks_no_work(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, once as a warning."""

    class Broken:
        def report(self, spans: object) -> None:
            raise RuntimeError("no")

    tracer = Tracer("shop", Broken(), host="10.0.0.1")
    for _ in range(2):
        with tracer.root("x"):
            pass
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_the_tracer_before_is_there_again_after_a_root(tracer: Tracer) -> None:
    """An ambient trace survives a nested one."""
    with tracer.root("outer") as outer:
        with tracer.root("inner") as inner:
            assert current_trace() == inner.context
        now = current_trace()
        assert now is not None
        assert now.span_id == outer.context.span_id
    assert current_trace() is None


def test_a_thread_poisoned_by_an_unstopped_span_heals_at_the_next_root(tracer: Tracer, recorder: SpanRecorder) -> None:
    """py_zipkin alone would trace nothing on that thread ever again."""

    def poisoned() -> None:
        zipkin_span("old", span_name="never stopped", transport_handler=Memory(), sample_rate=100).start()
        with tracer.root("healthy"):
            pass

    thread = threading.Thread(target=poisoned)
    thread.start()
    thread.join()
    assert recorder.named("healthy").parent_id is None


def test_concurrent_asyncio_tasks_do_not_mix(tracer: Tracer, recorder: SpanRecorder) -> None:
    """Each root has a tracer of its own, in its own context."""

    async def request(name: str) -> None:
        with tracer.root(name):
            await asyncio.sleep(0.01)
            with zipkin_span("shop", span_name=f"child of {name}"):
                await asyncio.sleep(0.01)

    async def both() -> None:
        await asyncio.gather(request("a"), request("b"))

    asyncio.run(both())
    for name in ("a", "b"):
        root, child = recorder.named(name), recorder.named(f"child of {name}")
        assert (child.trace_id, child.parent_id) == (root.trace_id, root.span_id)


def test_no_span_looks_the_host_name_up(recorder: SpanRecorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once at the start is enough; py_zipkin does it for every span."""
    tracer = Tracer("shop", recorder)

    def refuse(name: str) -> str:
        raise AssertionError("a look-up")

    monkeypatch.setattr(socket, "gethostbyname", refuse)
    with tracer.root("x"), tracer.child("y"):
        pass
    assert len(recorder.spans) == 2


def test_a_span_that_is_over_is_recorded_for_another_service(tracer: Tracer, recorder: SpanRecorder) -> None:
    """The bar that shows the time in a queue."""
    tracer.record("wait in jobs", parent=SENT, service="redis", started=1000.0, duration=0.5)
    span = recorder.named("wait in jobs")
    assert (span.trace_id, span.parent_id, span.timestamp, span.duration) == (SENT.trace_id, SENT.span_id, 1000.0, 0.5)
    assert span.local_endpoint is not None
    assert span.local_endpoint.service_name == "redis"


def test_nothing_is_recorded_below_an_unsampled_span(tracer: Tracer, recorder: SpanRecorder) -> None:
    """Its trace is not reported."""
    tracer.record("wait", parent=SENT.decided(False), service="redis", started=1.0, duration=1.0)
    assert recorder.spans == []


def test_log_records_carry_the_ids(tracer: Tracer) -> None:
    """Inside a trace its ids, outside empty text."""
    record = logging.LogRecord("x", logging.INFO, "x", 1, "x", None, None)
    with tracer.root("x") as span:
        assert TraceLogFilter().filter(record)
        assert (record.trace_id, record.span_id) == (span.context.trace_id, span.context.span_id)  # type: ignore[attr-defined]
    TraceLogFilter().filter(record)
    assert record.trace_id == ""  # type: ignore[attr-defined]


def test_the_recorder_says_what_it_has_instead(recorder: SpanRecorder, tracer: Tracer) -> None:
    """A wrong name in a test is easy to mend."""
    with tracer.root("x"):
        pass
    with pytest.raises(LookupError, match=r"expected one span named 'y', found 0 among \['x'\]"):
        recorder.named("y")
    recorder.clear()
    assert recorder.spans == []


def test_a_share_of_the_traces_is_chosen_by_id_alike_in_every_process() -> None:
    """At the rate asked for, and more traces at a higher rate."""
    ids = [f"{number:032x}" for number in range(1, 2**64, 2**64 // 1000)]
    some = {each for each in ids if TraceIdSampler(0.25).is_sampled(each, "x", begins=True)}
    more = {each for each in ids if TraceIdSampler(0.5).is_sampled(each, "x", begins=False)}
    assert 230 <= len(some) <= 270
    assert some < more


class Memory(BaseTransportHandler):
    """A py_zipkin transport that keeps what it is given."""

    def __init__(self) -> None:
        self.payloads: list[str] = []

    def get_max_payload_bytes(self) -> int | None:
        return None

    def send(self, payload: bytes | str) -> None:
        self.payloads.append(str(payload))


def test_a_child_process_does_not_report_its_parents_root_again(tracer: Tracer, recorder: SpanRecorder) -> None:
    """A fork inside a request leaves the open span to the parent, even if the child unwinds."""
    try:
        with tracer.root("buy"):
            pid = os.fork()
            if pid == 0:
                raise SystemExit
    except SystemExit:
        os._exit(len(recorder.spans))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert len(recorder.spans) == 1


def test_a_finished_span_has_every_attribute_that_py_zipkin_gives_one(tracer: Tracer, recorder: SpanRecorder) -> None:
    """It is made without the constructor; the version is pinned."""
    with tracer.root("x"):
        pass
    made = Span("a" * 32, "x", None, "b" * 16, Kind.LOCAL, 1.0, 1.0)
    assert recorder.named("x").__dict__.keys() == made.__dict__.keys()


def test_a_sampler_that_raises_breaks_no_work(recorder: SpanRecorder, caplog: pytest.LogCaptureFixture) -> None:
    """It costs a trace too many."""

    class Broken:
        def is_sampled(self, trace_id: str, subject: str, *, begins: bool) -> bool:
            raise KeyError(subject)

    with Tracer("shop", recorder, sampler=Broken(), host="10.0.0.1").root("x"):
        pass
    assert len(recorder.spans) == 1
    assert "the sampler raised" in caplog.text


def test_a_thread_that_goes_on_with_a_copy_of_the_context_breaks_no_root(
    tracer: Tracer, recorder: SpanRecorder
) -> None:
    """As ``asyncio.to_thread`` makes one; its late spans are lost, the root's are not."""
    for _ in range(30):
        stop = threading.Event()

        def busy(stop: threading.Event = stop) -> None:
            while not stop.is_set():
                with tracer.child("aside"):
                    pass

        with tracer.root("buy"):
            thread = threading.Thread(target=contextvars.copy_context().run, args=(busy,))
            thread.start()
        stop.set()
        thread.join()
    assert len([span for span in recorder.spans if span.name == "buy"]) == 30


def test_concurrent_tasks_of_one_root_do_not_adopt_each_others_children(tracer: Tracer, recorder: SpanRecorder) -> None:
    """Each child has a stack of its own for what is opened inside it, ours or py_zipkin's."""

    async def step(number: int) -> None:
        with tracer.child(f"step {number}"):
            await asyncio.sleep(0.005 * number)
            with tracer.child(f"query {number}"), zipkin_span("shop", span_name=f"detail {number}"):
                await asyncio.sleep(0.01)

    async def request() -> None:
        with tracer.root("request"):
            await asyncio.gather(*(step(number) for number in range(4)))

    asyncio.run(request())
    root = recorder.named("request")
    for number in range(4):
        below, query, detail = (recorder.named(f"{name} {number}") for name in ("step", "query", "detail"))
        assert (below.parent_id, query.parent_id, detail.parent_id) == (root.span_id, below.span_id, query.span_id)


def test_a_child_that_never_ends_is_forgotten_with_its_root(tracer: Tracer) -> None:
    """Nothing stays current on the thread."""
    with tracer.root("request"):
        tracer.child("never ended").__enter__()
    assert current_trace() is None


def test_what_a_task_adds_after_its_root_has_ended_is_not_kept(tracer: Tracer) -> None:
    """A task begun inside a request may live as long as the process."""

    def late() -> int:
        with tracer.child("late"), zipkin_span("shop", span_name="later"):
            pass
        current = ambient()
        assert current is not None
        return len(current.get_spans())

    with tracer.root("request"), tracer.child("step"):
        context = contextvars.copy_context()
        assert context.run(late) == 2
    assert context.run(late) == 0


def test_a_thread_that_goes_on_below_an_ending_root_breaks_nothing(tracer: Tracer) -> None:
    """As after a time-out of ``asyncio.to_thread``: its spans may be late, the request must not notice."""
    stop = threading.Event()

    def go_on() -> None:
        while not stop.is_set():
            with tracer.child("late"):
                pass

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(30):
            with tracer.root("request"):
                thread = threading.Thread(target=contextvars.copy_context().run, args=(go_on,))
                thread.start()
                for _ in range(100):
                    with tracer.child("step"):
                        pass
            stop.set()
            thread.join()
            stop.clear()
    finally:
        sys.setswitchinterval(interval)
        stop.set()
