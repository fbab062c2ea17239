"""``kombu-zipkin doctor``."""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Final, Literal

import click
from pydantic import Field

from kombu_zipkin.cli.errors import DONE, FAILED, one_sentence, with_next_step
from kombu_zipkin.cli.screen import json_option, number, print_grade, print_json
from kombu_zipkin.cli.spans import faults as faults_of
from kombu_zipkin.errors import Unavailable, ZipkinRefused
from kombu_zipkin.jobs import read_catalogue
from kombu_zipkin.outages import public_address
from kombu_zipkin.runtime import ProgramSettings, load
from kombu_zipkin.spans import DEFAULT_STREAM, inspect_redis, read_ledger, relays_of, server_time_ms
from kombu_zipkin.zipkin import ZipkinClient

_MOST_SKEW_MS: Final = 1000
_ALIVE_MS: Final = 30_000
_LOOK_AGAIN_SECONDS: Final = 1.0


class DoctorSettings(ProgramSettings):
    """The set-up to look at."""

    redis_url: str = Field("redis://localhost:6379/0", description="The Redis that holds the span stream.")
    zipkin_url: str = Field("http://localhost:9411", description="Zipkin's address.")
    zipkin_token: str | None = Field(None, description="A Bearer token for Zipkin; user and password go into its URL.")
    zipkin_ca_file: str | None = Field(None, description="Certificates to trust for https, in PEM; else the system's.")
    spans_stream: str = Field(DEFAULT_STREAM, min_length=1, description="Name of the span stream.")
    jobs_namespace: str = Field("kombu-zipkin", min_length=1, description="Prefix of the jobs' keys in Redis.")


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found: ``ok``; ``warn``: it works, but may lose something or say less; ``FAIL``: it does not work."""

    grade: Literal["ok", "warn", "FAIL"]
    text: str


@click.command()
@click.option("--redis-url", metavar="URL", help="The Redis that holds the span stream [REDIS_URL].")
@click.option("--zipkin-url", metavar="URL", help="Zipkin's address [ZIPKIN_URL].")
@click.option("--stream", "spans_stream", metavar="NAME", help="Name of the span stream [SPANS_STREAM].")
@json_option
def doctor(as_json: bool, **options: str | None) -> None:
    """Look at a whole set-up, and say what to do where something is wrong. Exit 1 if something does not work.

    It looks at Redis and its settings, the clocks, the books, who relays the spans, Zipkin, and who runs the jobs. It
    changes nothing.

    \b
    Example:
        kombu-zipkin doctor --redis-url redis://localhost --zipkin-url http://localhost:9411
    """
    with one_sentence():
        settings = load(DoctorSettings, **options)
        client = ZipkinClient(
            settings.zipkin_url, timeout=5.0, token=settings.zipkin_token, ca_file=settings.zipkin_ca_file
        )
        findings = []
        for finding in examine(settings, client):
            findings.append(finding)
            if not as_json:
                print_grade(finding.grade, finding.text)
    client.close()
    works = all(finding.grade != "FAIL" for finding in findings)
    if as_json:
        print_json({"works": works, "findings": [asdict(finding) for finding in findings]})
    sys.exit(DONE if works else FAILED)


def examine(settings: DoctorSettings, client: ZipkinClient) -> Iterator[Finding]:
    """Look at everything, one after the other; what needs a server that is away is left out."""
    redis = public_address(settings.redis_url)
    try:
        skew_ms = abs(server_time_ms(settings.redis_url) - int(time.time() * 1000))
    except Unavailable as error:
        yield Finding("FAIL", f"Redis on {redis}: {with_next_step(error)}")
    else:
        yield Finding("ok", f"Redis on {redis} answers")
        yield from _clock(skew_ms)
        for look in (_redis, _relays, _books, _workers):
            yield from _guarded(look, settings)
    yield from _zipkin(client, public_address(settings.zipkin_url))


def _guarded(look: Callable[[DoctorSettings], Iterator[Finding]], settings: DoctorSettings) -> Iterator[Finding]:
    try:
        yield from look(settings)
    except Unavailable as error:
        yield Finding("FAIL", with_next_step(error))


def _clock(skew_ms: int) -> Iterator[Finding]:
    if skew_ms > _MOST_SKEW_MS:
        yield Finding(
            "warn", f"Redis's clock and this one differ by {skew_ms / 1000:.1f} s: waits in a trace are wrong by that; "
            "synchronise them (NTP)",
        )  # fmt: skip
    else:
        yield Finding("ok", "the clocks agree")


def _redis(settings: DoctorSettings) -> Iterator[Finding]:
    warnings = inspect_redis(settings.redis_url)
    yield from (Finding("warn", warning) for warning in warnings)
    if not warnings:
        yield Finding("ok", "Redis's version, eviction and persistence are as they should be")


def _relays(settings: DoctorSettings) -> Iterator[Finding]:
    relays = relays_of(settings.redis_url, stream=settings.spans_stream)
    alive = [relay for relay in relays if relay.idle_ms < _ALIVE_MS]
    if alive:
        verb = "reads" if len(alive) == 1 else "read"
        yield Finding("ok", f"{number(len(alive), 'relay')} {verb} the span stream {settings.spans_stream}")
        return
    waiting = read_ledger(settings.redis_url, stream=settings.spans_stream).waiting
    yield Finding(
        "FAIL" if waiting else "warn",
        f"no relay reads the span stream {settings.spans_stream}, {_wait(waiting, 'span')}: "
        "start one: kombu-zipkin relay; or correct SPANS_STREAM",
    )


def _books(settings: DoctorSettings) -> Iterator[Finding]:
    ledger = read_ledger(settings.redis_url, stream=settings.spans_stream)
    found = list(faults_of(ledger))
    yield from (Finding("warn", fault) for fault in found)
    if ledger.totals.get("dead", 0):
        yield Finding("warn", f"{ledger.totals['dead']} spans are dead letters: kombu-zipkin spans dead list")
    if not ledger.producers:
        yield Finding("warn", "nobody has sent a span yet")
    elif not found:
        yield Finding("ok", f"the books close, {_wait(ledger.waiting, 'span')}")


def _workers(settings: DoctorSettings) -> Iterator[Finding]:
    with read_catalogue(settings.redis_url, settings.jobs_namespace) as catalogue:
        before, workers = catalogue.waiting(), len(catalogue.workers())
        if not before:
            yield Finding("ok", "no worker has announced tasks: there are no jobs to look at")
            return
        if not workers:
            yield Finding(
                "warn", f"no worker has given a sign of life for 90 s, {_wait(sum(before.values()), 'job')}: "
                "start one: kombu-zipkin worker your.module",
            )  # fmt: skip
        if any(before.values()):
            time.sleep(_LOOK_AGAIN_SECONDS)
        after = catalogue.waiting() if any(before.values()) else before
        for queue in before:
            if before[queue] and after.get(queue, 0) >= before[queue]:
                told = f"{_wait(after[queue], 'job')} in {queue}, and nobody took one: is a worker running?"
                yield Finding("warn", told)
            elif workers:
                yield Finding("ok", f"{number(workers, 'worker')}, {_wait(after.get(queue, 0), 'job')} in {queue}")


def _wait(count: int, thing: str) -> str:
    return f"{number(count, thing)} {'waits' if count == 1 else 'wait'}"


def _zipkin(client: ZipkinClient, address: str) -> Iterator[Finding]:
    try:
        fault = client.health()
    except Unavailable as error:
        yield Finding("FAIL", f"Zipkin on {address}: {with_next_step(error)}")
        return
    if fault is not None:
        yield Finding("FAIL", f"Zipkin on {address} is not well: {fault}; see its log, or correct ZIPKIN_URL")
        return
    yield Finding("ok", f"Zipkin on {address} is up, its storage too")
    try:
        dropped = client.spans_dropped()
    except (Unavailable, ZipkinRefused):
        yield Finding("warn", "Zipkin does not show its metrics, so what it drops after accepting it cannot be seen")
        return
    if dropped:
        yield Finding("warn", f"Zipkin accepted {dropped} spans since its start and did not store them: see its log")
