"""Trace ids on log records."""

import logging

from kombu_zipkin.tracing.ambient import current_trace


class TraceLogFilter(logging.Filter):
    """Puts ``trace_id`` and ``span_id`` on every record, empty outside a trace; add it to a handler."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, with its ids."""
        context = current_trace()
        record.trace_id = context.trace_id if context is not None else ""
        record.span_id = context.span_id if context is not None else ""
        return True
