"""``kombu-zipkin worker``."""

import gc
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from wsgiref.types import WSGIApplication

import click

from kombu_zipkin.cli.errors import one_sentence
from kombu_zipkin.jobs import JobConsumer, WorkerSettings, collect_tasks
from kombu_zipkin.runtime import Health, Metrics, StatusPages, configure_logging, load, serve_pages, stop_on_signals
from kombu_zipkin.spans import RedisStreamTransport
from kombu_zipkin.tracing import Reporter, TraceIdSampler, TraceLogFilter, Tracer

_FLUSH_SECONDS = 3.0

FurtherPages = Callable[[Reporter], Mapping[str, WSGIApplication]]


@click.command()
@click.argument("modules", nargs=-1, required=True, metavar="MODULE...")
@click.option("--redis-url", metavar="URL", help="The Redis that holds spans, records and queue [REDIS_URL].")
@click.option("--broker-url", metavar="URL", help="The queue's broker, if it is another [BROKER_URL].")
@click.option("--concurrency", "worker_concurrency", type=int, metavar="N", help="Jobs at a time [WORKER_CONCURRENCY].")
@click.option("--service", "worker_service", metavar="NAME", help="Service name in Zipkin [WORKER_SERVICE].")
@click.option("--port", "worker_port", type=int, metavar="N", help="Port of /health, /ready, /metrics [WORKER_PORT].")
@click.option("--log-level", metavar="LEVEL", help="DEBUG, INFO, WARNING or ERROR [LOG_LEVEL].")
def worker(modules: tuple[str, ...], **options: str | int | None) -> None:
    """Run the jobs of the tasks in MODULE..., until SIGTERM.

    A task is a function decorated with kombu_zipkin.jobs.task; modules are looked up from this folder too.

    \b
    Example:
        kombu-zipkin worker shop.tasks --concurrency 4
    """
    run_worker(modules, options)


def run_worker(
    modules: Sequence[str], options: Mapping[str, str | int | None], further_pages: FurtherPages | None = None
) -> None:
    """Put a worker together and run it.

    Args:
        modules: Where the tasks are.
        options: Settings that win over the environment.
        further_pages: Makes pages to serve beside ``/health``, by path prefix.
    """
    with one_sentence():
        settings = load(WorkerSettings, **options)
        configure_logging(settings.log_level, TraceLogFilter())
        sys.path.insert(0, str(Path.cwd()))
        tasks = collect_tasks(modules)
        metrics, health = Metrics(), Health(("queue", "catalogue"))
        spans = RedisStreamTransport(settings.redis_url, stream=settings.spans_stream)
        metrics.watch_spans(spans.counts)
        sampler = TraceIdSampler(settings.sample_rate)
        tracer = Tracer(settings.worker_service, spans, sampler=sampler, port=settings.worker_port)
        consumer = JobConsumer(
            settings.broker_url or settings.redis_url,
            tracer,
            tasks,
            concurrency=settings.worker_concurrency,
            records_url=settings.redis_url,
            namespace=settings.jobs_namespace,
            drain_seconds=settings.worker_drain_seconds,
            lease_seconds=settings.worker_lease_seconds,
            metrics=metrics,
            health=health,
        )
        stop = stop_on_signals(consumer.hurry)
        gc.freeze()  # what is there now stays: the collector need not look at it again, some 5 % of a short job
        others = further_pages(spans) if further_pages is not None else {}
        pages = StatusPages(health.is_alive, health.faults, metrics, others)
        with serve_pages(pages, settings.worker_host, settings.worker_port):
            consumer.run(stop)
        spans.close(_FLUSH_SECONDS)
