"""A process and its host: settings, signals, logs, health and metrics pages."""

try:
    import prometheus_client as _prometheus
    import pydantic_settings as _settings
except ImportError as error:  # pragma: no cover - needs an environment without the extra
    raise ImportError(f"kombu_zipkin.runtime needs {error.name}: pip install 'kombu-zipkin[relay]'") from error

from kombu_zipkin.runtime.health import Health
from kombu_zipkin.runtime.logs import configure_logging
from kombu_zipkin.runtime.metrics import Metrics
from kombu_zipkin.runtime.pages import StatusPages, serve_pages
from kombu_zipkin.runtime.settings import ProgramSettings, load
from kombu_zipkin.runtime.signals import stop_on_signals

del _prometheus, _settings

__all__ = [
    "Health",
    "Metrics",
    "ProgramSettings",
    "StatusPages",
    "configure_logging",
    "load",
    "serve_pages",
    "stop_on_signals",
]
