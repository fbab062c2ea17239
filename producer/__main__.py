"""``python -m producer``: serve the web app until SIGTERM."""

import logging
import sys
import threading

import waitress

from kombu_zipkin.errors import ConfigurationError
from kombu_zipkin.runtime import Metrics, configure_logging, load, stop_on_signals
from kombu_zipkin.spans import RedisStreamTransport
from kombu_zipkin.tracing import TraceLogFilter
from kombu_zipkin.zipkin import ZipkinClient
from producer.app import create_app
from producer.arrivals import Arrivals
from producer.settings import ProducerSettings

_FLUSH_SECONDS = 3.0
_ZIPKIN_SECONDS = 3.0
_MAX_BODY_BYTES = 1024 * 1024  # the app's own limit is lower; beyond this one nothing is even read


def main() -> int:
    """Run the web app; returns the exit code."""
    try:
        settings = load(ProducerSettings)
        configure_logging(settings.log_level, TraceLogFilter())
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # it warns when a request waits a millisecond
        metrics = Metrics()
        spans = RedisStreamTransport(settings.redis_url, stream=settings.spans_stream)
        metrics.watch_spans(spans.counts)
        zipkin = ZipkinClient(settings.zipkin_url, timeout=_ZIPKIN_SECONDS)
        arrivals = Arrivals(zipkin)
        app = create_app(settings, spans, metrics, zipkin, arrivals)
        server = _listen(app, settings)
    except ConfigurationError as error:
        print(f"producer: {error}", file=sys.stderr)
        return 2
    stop = stop_on_signals()
    threading.Thread(target=server.run, name="waitress", daemon=True).start()
    stop.wait()
    server.close()
    server.task_dispatcher.shutdown(timeout=_FLUSH_SECONDS)
    arrivals.close(_ZIPKIN_SECONDS)
    spans.close(_FLUSH_SECONDS)
    return 0


def _listen(app: object, settings: ProducerSettings) -> "waitress.server.BaseWSGIServer":
    host, port = settings.producer_host, settings.producer_port
    try:
        return waitress.create_server(
            app,
            max_request_body_size=_MAX_BODY_BYTES,
            host=host,
            port=port,
            threads=settings.producer_threads,
            ident="kombu-zipkin",
        )
    except OSError as error:
        raise ConfigurationError(
            f"PRODUCER_PORT: expected a free port on {host}, got {port}: {error.strerror}"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
