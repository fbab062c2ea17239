"""Put the web app together."""

from typing import Final

from flask import Flask

from kombu_zipkin.jobs import JobPublisher, JobRecords
from kombu_zipkin.runtime import Metrics, StatusPages
from kombu_zipkin.tracing import Reporter, TraceIdSampler, Tracer, TracingMiddleware
from kombu_zipkin.zipkin import ZipkinClient, ZipkinLinks
from producer.access import Access
from producer.api import JobApi
from producer.arrivals import Arrivals
from producer.board import Board
from producer.dead import DeadPage
from producer.dead_spans import DeadSpansPage
from producer.demo import Demo
from producer.faults import register_faults
from producer.guard import register_guard
from producer.overview import Overview
from producer.repair import Repair
from producer.service import JobService
from producer.settings import ProducerSettings
from producer.status import Status
from producer.traces import Traces

MAX_REQUEST_BYTES: Final = 64 * 1024

_UNTRACED: Final = (
    *("/health", "/ready", "/metrics", "/favicon.ico", "/static/*"),
    *(
        "GET /",
        "GET /board",
        "GET /overview",
        "GET /jobs/*",
        "GET /trace/*",
        "/login",
        "GET /dead",
        "GET /dead/*",
        "GET /api/*",
    ),  # looking is not work worth a trace
)
_REDIS: Final = ("redis", "unix")


def create_app(
    settings: ProducerSettings, reporter: Reporter, metrics: Metrics, zipkin: ZipkinClient, arrivals: Arrivals
) -> Flask:
    """Make the WSGI application.

    Args:
        settings: Addresses and names.
        reporter: Takes the spans; closed by the caller.
        metrics: Where to count.
        zipkin: Asked for traces.
        arrivals: Knows which ones it has; closed by the caller.

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
    queue_url = settings.broker_url or settings.redis_url
    repair = Repair(queue_url, records, settings.jobs_namespace) if queue_url.startswith(_REDIS) else None
    service = JobService(publisher, records, metrics, repair)

    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_REQUEST_BYTES
    JobApi(service, links, has_token=settings.producer_token is not None).register(app)
    Board(service, links, arrivals).register(app)
    Traces(service, zipkin, arrivals).register(app)
    DeadPage(queue_url if repair else None, records, settings.redis_url, settings.jobs_namespace).register(app)
    DeadSpansPage(settings.redis_url, settings.spans_stream).register(app)
    Overview(
        settings.redis_url, queue_url if repair else None, settings.jobs_namespace, settings.spans_stream, zipkin
    ).register(app)
    Demo(service, links).register(app)
    Status(StatusPages(lambda: True, service.faults, metrics)).register(app)
    register_faults(app)
    if settings.producer_token is not None:
        Access(settings.producer_token).register(app)
    register_guard(app)
    app.wsgi_app = TracingMiddleware(app.wsgi_app, tracer, ignored_paths=_UNTRACED, trusted=settings.producer_trusted)  # type: ignore[method-assign]
    return app
