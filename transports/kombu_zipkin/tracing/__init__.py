"""The trace context and the spans of this process, on py_zipkin's parts."""

from py_zipkin import Kind
from py_zipkin.encoding import Span

from kombu_zipkin.tracing.active import ActiveSpan
from kombu_zipkin.tracing.ambient import current_trace
from kombu_zipkin.tracing.b3 import HEADERS, extract, inject_http, inject_message
from kombu_zipkin.tracing.context import TraceContext, new_span_id, new_trace_id
from kombu_zipkin.tracing.http import HttpCall, http_call
from kombu_zipkin.tracing.logs import TraceLogFilter
from kombu_zipkin.tracing.recorder import SpanRecorder
from kombu_zipkin.tracing.reporter import Reporter
from kombu_zipkin.tracing.sampling import ALWAYS, NEVER, RateLimitSampler, RuleSampler, Sampler, TraceIdSampler
from kombu_zipkin.tracing.tracer import Tracer
from kombu_zipkin.tracing.wsgi import SPAN_KEY, TracingMiddleware

__all__ = [
    "ALWAYS",
    "HEADERS",
    "NEVER",
    "SPAN_KEY",
    "ActiveSpan",
    "HttpCall",
    "Kind",
    "RateLimitSampler",
    "Reporter",
    "RuleSampler",
    "Sampler",
    "Span",
    "SpanRecorder",
    "TraceContext",
    "TraceIdSampler",
    "TraceLogFilter",
    "Tracer",
    "TracingMiddleware",
    "current_trace",
    "extract",
    "http_call",
    "inject_http",
    "inject_message",
    "new_span_id",
    "new_trace_id",
]
