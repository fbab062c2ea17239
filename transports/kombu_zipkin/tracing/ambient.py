"""The py_zipkin tracer that plain ``zipkin_span`` finds on this thread, task or greenlet.

py_zipkin 1.2.8 keeps it in a ContextVar. Its public functions make one where there is none, and asyncio tasks started
afterwards would all share that one and mix their traces; so this reads and sets the variable itself (the version is
pinned, and a test fails if the variable moves).
"""

from contextvars import Token

from py_zipkin import storage
from py_zipkin.storage import Tracer as PyZipkinTracer
from py_zipkin.util import ZipkinAttrs

from kombu_zipkin.tracing.context import TraceContext

_current = storage._contextvars_tracer
if _current is None:  # pragma: no cover - only on Python < 3.7
    raise ImportError("py_zipkin keeps its tracer elsewhere; kombu-zipkin needs py_zipkin==1.2.8")
_variable = _current


class InnerTracer(PyZipkinTracer):
    """What is current inside a child span: the root's spans, and a stack that no other task pushes on.

    Args:
        outer: The tracer that the child was opened on.
    """

    def __init__(self, outer: PyZipkinTracer) -> None:
        self._root: PyZipkinTracer = outer._root if isinstance(outer, InnerTracer) else outer
        self._span_storage = outer._span_storage
        self._context_stack = outer._context_stack.copy()

    def copy(self) -> PyZipkinTracer:
        """Return one more of the same."""
        return InnerTracer(self)

    def is_transport_configured(self) -> bool:
        """Whether spans are kept: the root's answer, or what a task adds after its end would never be cleared."""
        return self._root.is_transport_configured()

    def set_transport_configured(self, configured: bool) -> None:
        """Tell the root."""
        self._root.set_transport_configured(configured)


def ambient() -> PyZipkinTracer | None:
    """Return the current py_zipkin tracer, or None; never makes one."""
    return _variable.get(None)


def enter(tracer: PyZipkinTracer) -> Token[PyZipkinTracer]:
    """Make a tracer the current one; the answer goes to `leave`."""
    return _variable.set(tracer)


def leave(tracer: PyZipkinTracer, token: Token[PyZipkinTracer]) -> None:
    """Put back what was there before `enter`; nothing happens where ``tracer`` is not the current one any more."""
    if _variable.get(None) is tracer:
        try:
            _variable.reset(token)
        except ValueError:  # entered in another context, for example another thread closes a streamed response
            return


def leave_all(root: PyZipkinTracer, token: Token[PyZipkinTracer]) -> None:
    """Put back what was there before a root's `enter`, also where a span below it was never ended."""
    current = _variable.get(None)
    if current is not None and current.get_spans() is root.get_spans():
        leave(current, token)


def current_trace() -> TraceContext | None:
    """Return the context of the innermost open span here, ours or py_zipkin's; None outside any trace."""
    tracer = ambient()
    try:
        attrs = tracer.get_zipkin_attrs() if tracer is not None else None
    except IndexError:  # another thread ended the root between py_zipkin's two looks at the stack
        attrs = None
    if attrs is None:
        return None
    return TraceContext(attrs.trace_id, attrs.span_id, attrs.parent_span_id, bool(attrs.is_sampled), attrs.flags == "1")


def attrs_of(context: TraceContext) -> ZipkinAttrs:
    """Translate a decided context with ids into py_zipkin's own."""
    trace_id, span_id, parent_id, sampled, debug = context
    if trace_id is None or sampled is None:
        raise ValueError(f"expected a decided context with ids, got {context}")
    return ZipkinAttrs(trace_id, span_id, parent_id, "1" if debug else "0", sampled)
