"""Open spans: the root of this process's part of a trace, and children below it."""

import encodings.idna  # noqa: F401 - a name's first look-up imports it; see docs/rationale.md about forks
import logging
import socket
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Final

from py_zipkin import Kind
from py_zipkin.encoding import Span, create_endpoint
from py_zipkin.encoding._helpers import Endpoint

from kombu_zipkin.tracing import ambient
from kombu_zipkin.tracing.active import ActiveSpan, RootSpan
from kombu_zipkin.tracing.context import TraceContext, new_span_id, new_trace_id
from kombu_zipkin.tracing.reporter import Reporter
from kombu_zipkin.tracing.sampling import ALWAYS, Sampler

_log = logging.getLogger(__name__)

_NOTHING_SENT: Final = TraceContext(None, None)


class Tracer:
    """Makes the spans of one service. One a process is usual; any thread may use it, nothing in it blocks.

    Plain py_zipkin ``zipkin_span`` inside one of its spans becomes a child, unchanged.

    Args:
        service: The local service name, as Zipkin shows it (it lower-cases names).
        reporter: Takes the finished spans when a root ends. The tracer does not close it.
        sampler: Asked once for every trace that arrives undecided or begins here.
        host: This machine's IP address; None looks it up once, now.
        port: The port this service listens on, if any.
    """

    def __init__(
        self,
        service: str,
        reporter: Reporter,
        *,
        sampler: Sampler = ALWAYS,
        host: str | None = None,
        port: int | None = None,
    ) -> None:
        self._reporter = reporter
        self._sampler = sampler
        self._local = create_endpoint(port=port or 0, service_name=service, host=host or _own_address())
        self._failing = False

    def root(
        self,
        name: str,
        *,
        kind: Kind | None = None,
        context: TraceContext | None = None,
        remote: str | None = None,
        subject: str | None = None,
        span_id: str | None = None,
    ) -> AbstractContextManager[ActiveSpan]:
        """Open the first span of this process's part of a trace.

        Args:
            name: The span's name; no ids in it.
            kind: SERVER, CLIENT, PRODUCER, CONSUMER, or None for local work.
            context: What the other side sent (`extract`); its span becomes the parent, never shared. None, or a lone
                sampling state, starts a new trace.
            remote: Service name of the other side; without one Zipkin draws no edge.
            subject: What the sampler's rules go by; None for the name.
            span_id: Its id, 16 lower-hex characters, where somebody else must know it; None makes one.
        """
        return RootSpan(
            name,
            self._begin(subject or name, context, span_id),
            kind or Kind.LOCAL,
            self._local,
            remote,
            self._hand_over,
        )

    def child(
        self, name: str, *, kind: Kind | None = None, remote: str | None = None
    ) -> AbstractContextManager[ActiveSpan]:
        """Open a span below the innermost open one, ours or py_zipkin's; with none open, the root of a new trace.

        Args:
            name: The span's name; no ids in it.
            kind: CLIENT, PRODUCER, or None for local work.
            remote: Service name of the other side; without one Zipkin draws no edge.
        """
        tracer, current = ambient.ambient(), ambient.current_trace()
        if tracer is None or current is None:
            return self.root(name, kind=kind, remote=remote)
        context = TraceContext(current.trace_id, new_span_id(), current.span_id, current.sampled, current.debug)
        return ActiveSpan(name, context, kind or Kind.LOCAL, self._local, remote, tracer)

    def record(
        self,
        name: str,
        *,
        parent: TraceContext,
        started: float,
        duration: float,
        service: str | None = None,
        kind: Kind | None = None,
        remote: str | None = None,
        span_id: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Report a span that is over already, such as the time in a queue, or what a killed process did not report.

        Args:
            name: The span's name.
            parent: The context of the span above it; nothing is reported unless it is sampled and has ids.
            started: Epoch seconds.
            duration: Seconds; not negative.
            service: Local service name of the span; None for this tracer's.
            kind: CONSUMER and the like; None for local work.
            remote: Service name of the other side; without one Zipkin draws no edge.
            span_id: Its id, where somebody may have reported it already; None makes one.
            tags: Its tags.
        """
        if parent.trace_id is None or not parent.sampled:
            return
        local = self._local if service is None else Endpoint(service, None, None, None)
        own = span_id or new_span_id()
        span = Span(parent.trace_id, name, parent.span_id, own, kind or Kind.LOCAL, started, duration, local)
        span.remote_endpoint = None if remote is None else Endpoint(remote, None, None, None)
        span.tags, span.debug = dict(tags or {}), parent.debug
        self._hand_over([span])

    def _begin(self, subject: str, sent: TraceContext | None, span_id: str | None) -> TraceContext:
        """Make this span's context out of the one that was sent, and decide about sampling if nobody has."""
        sent_id, parent_id, _, sampled, debug = sent or _NOTHING_SENT
        trace_id = sent_id or new_trace_id()
        if debug:
            sampled = True
        elif sampled is None:
            sampled = self._decide(trace_id, subject, sent_id is None)
        return TraceContext(trace_id, span_id or new_span_id(), parent_id if sent_id else None, sampled, debug)

    def _decide(self, trace_id: str, subject: str, begins: bool) -> bool:
        """Ask the sampler; one that raises costs a trace too many, not a request."""
        try:
            return self._sampler.is_sampled(trace_id, subject, begins=begins)
        except Exception:  # noqa: BLE001 - tracing never breaks work
            self._complain("the sampler raised; the trace is kept")
            return True

    def _complain(self, what: str) -> None:
        level = logging.DEBUG if self._failing else logging.WARNING
        self._failing = True
        _log.log(level, what, exc_info=True)

    def _hand_over(self, spans: Sequence[Span]) -> None:
        try:
            self._reporter.report(spans)
        except Exception:  # noqa: BLE001 - tracing never breaks work
            self._complain("spans not reported: the reporter raised; the work goes on")


def _own_address() -> str | None:
    """Look this host's address up once; py_zipkin would do it for every span."""
    try:
        return socket.gethostbyname(socket.gethostname())
    except (OSError, UnicodeError):
        return None
