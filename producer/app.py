"""Put the web app together."""

from typing import Final

from flask import Flask

from kombu_zipkin.jobs import JobPublisher, JobRecords
from kombu_zipkin.runtime import Metrics, StatusPages
from kombu_zipkin.tracing import Reporter, TraceIdSampler, Tracer, TracingMiddleware
from kombu_zipkin.zipkin import ZipkinLinks
from producer.api import JobApi
from producer.board import Board
from producer.demo import Demo
from producer.faults import register_faults
from producer.service import JobService
from producer.settings import ProducerSettings
from producer.status import Status

MAX_REQUEST_BYTES: Final = 64 * 1024

_UNTRACED: Final = (
    *("/health", "/ready", "/metrics", "/favicon.ico", "/static/*"),
    *("GET /", "GET /jobs/*", "GET /api/*"),  # looking at jobs is not work worth a trace
)


def create_app(settings: ProducerSettings, reporter: Reporter, metrics: Metrics) -> Flask:
    """Make the WSGI application.

    Args:
        settings: Addresses and names.
        reporter: Takes the spans; closed by the caller.
        metrics: Where to count.

    Raises:
        ConfigurationError: A URL is wrong.
    """
    sampler = TraceIdSampler(settings.sample_rate)
    tracer = Tracer(settings.producer_service, reporter, sampler=sampler, port=settings.producer_port)
    publisher = JobPublisher(
        settings.broker_url or settings.redis_url,
        tracer,
        records_url=settings.redis_url,
        namespace=settings.jobs_namespace,
    )
    records = JobRecords(settings.redis_url, namespace=settings.jobs_namespace, timeout=0.8)
    links = ZipkinLinks(settings.zipkin_public_url or settings.zipkin_url)
    service = JobService(publisher, records, metrics)

    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_REQUEST_BYTES
    JobApi(service, links).register(app)
    Board(service, links).register(app)
    Demo(service, links).register(app)
    Status(StatusPages(lambda: True, service.faults, metrics)).register(app)
    register_faults(app)
    app.wsgi_app = TracingMiddleware(app.wsgi_app, tracer, ignored_paths=_UNTRACED, trusted=settings.producer_trusted)  # type: ignore[method-assign]
    return app
