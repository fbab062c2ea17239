"""Log lines for an operator: time, level, program, the event, then its trace."""

import logging
import sys
from typing import Final

from kombu_zipkin.errors import ConfigurationError

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")


def configure_logging(level: str, *filters: logging.Filter) -> None:
    """Send log lines to standard error, from here on.

    Args:
        level: One of `LEVELS`.
        filters: Run over every record before it is written, for example to add trace ids.

    Raises:
        ConfigurationError: There is no such level.
    """
    if level.upper() not in LEVELS:
        raise ConfigurationError(f"LOG_LEVEL: expected one of {', '.join(LEVELS)}, got {level!r}")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter())
    for each in filters:
        handler.addFilter(each)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("py_zipkin").setLevel(max(root.level, logging.WARNING))


class _Formatter(logging.Formatter):
    """Appends the trace id where a record has one."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        line = super().formatMessage(record)
        trace_id = getattr(record, "trace_id", "")
        return f"{line} trace={trace_id}" if trace_id else line
