"""An open span: a context manager that takes tags and annotations, and is reported when it ends."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from py_zipkin import Kind
from py_zipkin.encoding import Span
from py_zipkin.encoding._helpers import Endpoint
from py_zipkin.storage import Tracer as PyZipkinTracer

from kombu_zipkin.tracing import ambient
from kombu_zipkin.tracing.context import TraceContext


class ActiveSpan:
    """A span while it is open. Used by the thread that opened it; every method is cheap and raises nothing.

    Attributes:
        context: What this span hands on: its ids, and the sampling decision, which is never None here.
        name: The span's name; may be changed until it ends.
    """

    __slots__ = (
        "_annotations",
        "_begun",
        "_kind",
        "_local",
        "_remote",
        "_started",
        "_tags",
        "_token",
        "_tracer",
        "context",
        "name",
    )

    def __init__(
        self,
        name: str,
        context: TraceContext,
        kind: Kind,
        local: Endpoint,
        remote: str | None,
        tracer: PyZipkinTracer,
    ) -> None:
        self.name = name
        self.context = context
        self._kind = kind
        self._local = local
        self._remote = remote
        self._tracer = tracer
        self._tags: dict[str, str | None] = {}
        self._annotations: dict[str, float | None] = {}
        self._started = self._begun = 0.0

    @property
    def tags(self) -> Mapping[str, str | None]:
        """The tags set so far."""
        return self._tags

    def tag(self, key: str, value: object) -> None:
        """Set a tag; any value becomes text, a later one of the same key replaces it."""
        self._tags[key] = value if isinstance(value, str) else _text(value)

    def annotate(self, text: str) -> None:
        """Note that something happened now."""
        self._annotations[text] = time.time()

    def fail(self, error: BaseException | str) -> None:
        """Mark the span as failed; Zipkin counts it by the ``error`` tag."""
        self._tags["error"] = error if isinstance(error, str) else f"{type(error).__name__}: {_text(error)}"

    def __enter__(self) -> Self:
        self._tracer = ambient.InnerTracer(self._tracer)
        self._token = ambient.enter(self._tracer)
        self._begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ambient.leave(self._tracer, self._token)
        self._end(error)

    def _begin(self) -> None:
        self._tracer.push_zipkin_attrs(ambient.attrs_of(self.context))
        self._started = time.time()
        self._begun = time.perf_counter()

    def _end(self, error: BaseException | None) -> None:
        if error is not None and "error" not in self._tags:
            self.fail(error)
        self._tracer.pop_zipkin_attrs()
        if self._tracer.is_transport_configured():
            self._tracer.add_span(self._finished())

    def _finished(self) -> Span:
        """Make the span, past its constructor, a quarter of a child's cost: ``benchmarks/tracing.py``."""
        trace_id, span_id, parent_id, _, debug = self.context
        span = Span.__new__(Span)
        span.__dict__ = {
            "trace_id": trace_id,
            "name": self.name,
            "parent_id": parent_id,
            "span_id": span_id,
            "kind": self._kind,
            "timestamp": self._started,
            "duration": time.perf_counter() - self._begun,
            "local_endpoint": self._local,
            "remote_endpoint": None if self._remote is None else Endpoint(self._remote, None, None, None),
            "debug": debug,
            "shared": False,
            "annotations": self._annotations,
            "tags": self._tags,
        }
        self._annotations, self._tags = {}, {}  # what comes late, such as an ack after the span, changes it no more
        return span


class RootSpan(ActiveSpan):
    """The outermost span of this process: brings a tracer of its own and reports everything when it ends.

    A fresh py_zipkin tracer for each root heals a thread that somebody's unstopped span has poisoned, and keeps
    concurrent asyncio tasks apart; the tracer that was there before comes back at the end.
    """

    __slots__ = ("_pid", "_report")

    def __init__(
        self,
        name: str,
        context: TraceContext,
        kind: Kind,
        local: Endpoint,
        remote: str | None,
        report: Callable[[Sequence[Span]], None],
    ) -> None:
        super().__init__(name, context, kind, local, remote, PyZipkinTracer())
        self._report = report

    def __enter__(self) -> Self:
        self._token = ambient.enter(self._tracer)
        if not self.context.sampled:  # only the context goes on: ``benchmarks/tracing.py``
            self._tracer.push_zipkin_attrs(ambient.attrs_of(self.context))
            return self
        self._pid = os.getpid()
        self._tracer.set_transport_configured(True)
        self._begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ambient.leave_all(self._tracer, self._token)
        if not self.context.sampled:
            return
        self._end(error)
        if self._pid == os.getpid():  # a forked child leaves it to its parent
            self._report(self._collected())
        self._tracer.clear()
        self._tracer.set_transport_configured(False)

    def _collected(self) -> list[Span]:
        """Take the spans out; another thread that has a copy of this context may still be adding some."""
        spans, finished = self._tracer.get_spans(), []
        while spans:
            finished.append(self._complete(spans.popleft()))
        return finished

    def _complete(self, span: Span) -> Span:
        """Give a child that plain ``zipkin_span`` made what it cannot know: this host's address and the debug flag."""
        local = span.local_endpoint
        if local is not self._local:
            name = local.service_name if local is not None else None
            span.local_endpoint = self._local._replace(service_name=name or self._local.service_name)
        span.debug = self.context.debug
        return span


def _text(value: object) -> str:
    """Write any value as text; one whose ``__str__`` raises is named by its type."""
    if isinstance(value, bool):
        return "true" if value else "false"
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - somebody's __str__ must not break the work being traced
        return f"<{type(value).__name__}>"
