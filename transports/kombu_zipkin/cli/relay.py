"""``kombu-zipkin relay``."""

import click

from kombu_zipkin.cli.errors import one_sentence
from kombu_zipkin.relay import Relay, RelaySettings
from kombu_zipkin.runtime import Health, Metrics, StatusPages, configure_logging, load, serve_pages, stop_on_signals


@click.command()
@click.option("--redis-url", metavar="URL", help="The Redis that holds the span stream [REDIS_URL].")
@click.option("--zipkin-url", metavar="URL", help="Zipkin's address [ZIPKIN_URL].")
@click.option("--stream", "spans_stream", metavar="NAME", help="Name of the span stream [SPANS_STREAM].")
@click.option("--port", "relay_port", type=int, metavar="N", help="Port of /health, /ready, /metrics [RELAY_PORT].")
@click.option("--log-level", metavar="LEVEL", help="DEBUG, INFO, WARNING or ERROR [LOG_LEVEL].")
def relay(**options: str | int | None) -> None:
    """Carry spans from the Redis Stream to Zipkin, until SIGTERM.

    Start as many as you like: they share the work. While Zipkin is away the spans stay in Redis.

    \b
    Example:
        kombu-zipkin relay --redis-url redis://localhost --zipkin-url http://localhost:9411
    """
    with one_sentence():
        settings = load(RelaySettings, **options)
        configure_logging(settings.log_level)
        metrics, health = Metrics(), Health(("redis", "zipkin"))
        program = Relay(settings, metrics=metrics, health=health)
        stop = stop_on_signals()
        pages = StatusPages(health.is_alive, health.faults, metrics)
        with serve_pages(pages, settings.relay_host, settings.relay_port):
            program.run(stop)
