"""``kombu-zipkin spans status``, and the commands below it."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

import click
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from kombu_zipkin.cli.dead import dead
from kombu_zipkin.cli.errors import DONE, FAILED, fail, one_sentence
from kombu_zipkin.cli.screen import json_option, print_json, print_whole, watch
from kombu_zipkin.cli.span_settings import SpansSettings, redis_options
from kombu_zipkin.runtime import load
from kombu_zipkin.spans import Ledger, ProducerBooks, read_ledger

_WATCH_SECONDS: Final = 2.0
_WAIT_SECONDS: Final = 0.5
_OUT: Final = ("delivered", "trimmed", "dead", "purged", "dead_trimmed")
_MEANING: Final = {
    "appended": "taken over by Redis",
    "delivered": "accepted by Zipkin",
    "trimmed": "dropped over the byte budget, before any relay read them",
    "dead": "dead letters: kombu-zipkin spans dead list",
    "purged": "dead letters thrown away by an operator",
    "dead_trimmed": "dead letters dropped over their byte budget",
}


@click.group()
def spans() -> None:
    """Look after the span stream: its books, its dead letters.

    \b
    Example:
        kombu-zipkin spans status --watch
        kombu-zipkin spans dead list
    """


@spans.command(short_help="Print the books: where every span is.")
@redis_options
@json_option
@click.option("--watch", "watched", is_flag=True, help="Go on, every two seconds, until Ctrl-C.")
@click.option("--wait", is_flag=True, help="Wait until no span waits any more; exit 1 if some do after all.")
@click.option("--timeout", default=60.0, show_default=True, metavar="SECONDS", help="How long --wait waits.")
def status(as_json: bool, watched: bool, wait: bool, timeout: float, **options: str | None) -> None:
    """Print the books: where every span is that Redis ever acknowledged. Exit 1 when they do not close.

    With --watch, Ctrl-C is the regular end: the exit code is that of the last look.

    \b
    Example:
        kombu-zipkin spans status --redis-url redis://localhost
    """
    if watched and (as_json or wait):
        raise click.UsageError("--watch goes on until Ctrl-C: leave --json and --wait out")
    with one_sentence():
        settings = load(SpansSettings, **options)
    last: list[Ledger] = []

    def look() -> Ledger:
        last[:] = [read_ledger(settings.redis_url, stream=settings.spans_stream)]
        return last[0]

    with one_sentence(settings.redis_url):
        if wait:
            _wait(look, timeout)
        if watched:
            watch(lambda: _drawn(look()), _WATCH_SECONDS)
        elif as_json:
            print_json(as_plain(last[0] if wait else look()))
        else:
            print_whole(_drawn(last[0] if wait else look()))
    left = open_spans(last[0]) if wait else 0
    if left:
        fail(f"{left} spans still wait after {timeout:g} s; do relay and Zipkin run? kombu-zipkin doctor")
    sys.exit(DONE if is_closed(last[0]) else FAILED)


def open_spans(ledger: Ledger) -> int:
    """Return how many spans are on their way: in the stream, or held by a producer that lives."""
    return ledger.waiting + sum(max(0, each.held) for each in ledger.producers)


def is_closed(ledger: Ledger) -> bool:
    """Whether the books explain every span; books that are not of one moment are given the benefit of the doubt."""
    return not ledger.exact or (ledger.difference == 0 and ledger.dead_difference == 0)


def as_plain(ledger: Ledger) -> dict[str, Any]:
    """Return the books for JSON."""
    producers = [{**asdict(each), "held": each.held, "lost": each.lost} for each in ledger.producers]
    return {
        **{name: ledger.totals.get(name, 0) for name in ("appended", *_OUT, "vanished", "replayed")},
        "waiting": ledger.waiting,
        "difference": ledger.difference,
        "dead_difference": ledger.dead_difference,
        "exact": ledger.exact,
        "bytes": ledger.totals.get("bytes", 0),
        "dead_bytes": ledger.totals.get("dead_bytes", 0),
        "faults": list(faults(ledger)),
        "producers": producers,
    }


def faults(ledger: Ledger) -> Iterator[str]:
    """Say in words what is wrong, a sentence each."""
    if not ledger.exact:
        yield "the stream is long and moved while it was counted: a difference says little, look again"
    if ledger.difference > 0:
        yield (
            f"{ledger.difference} spans left the stream without being counted: somebody trimmed or deleted it by hand "
            "(XTRIM, XDEL, DEL), or Redis evicted it: set maxmemory-policy noeviction"
        )
    if ledger.difference < 0:
        yield (
            f"{-ledger.difference} spans more came out than went in: somebody wrote entries past append.lua, "
            "or changed the totals"
        )
    if ledger.dead_difference:
        yield (
            f"the books count {ledger.totals.get('dead', 0)} dead spans, the dead letters hold {ledger.dead_letters}: "
            "somebody deleted or added dead letters by hand"
        )
    if vanished := ledger.totals.get("vanished", 0):
        yield f"up to {vanished} spans vanished: Redis acknowledged them and lost them in a restart or a fail-over"
    if lost := sum(max(0, each.lost) for each in ledger.producers) + ledger.totals.get("lost", 0):
        yield f"{lost} spans are lost with producers that ended without sending them"


def _wait(look: Callable[[], Ledger], timeout: float) -> None:
    """Look until nothing is open in two looks that follow each other: a producer may not have sent yet."""
    until, quiet = time.monotonic() + timeout, 0
    with Console(stderr=True).status("") as shown:
        while (left := open_spans(look())) or quiet < 1:
            quiet = 0 if left else quiet + 1
            if time.monotonic() > until:
                return
            shown.update(f"{left} spans wait")
            time.sleep(_WAIT_SECONDS)


def _drawn(ledger: Ledger) -> Group:
    said = [Text(f"! {fault}", style="red") for fault in faults(ledger)]
    if is_closed(ledger) and ledger.exact:
        said.append(Text("the books close: every span that Redis acknowledged is accounted for", style="green"))
    return Group(_books(ledger), _producers(ledger), *said)


def _books(ledger: Ledger) -> Table:
    table = Table("spans", "", "", title="The books")
    table.columns[1].justify = "right"
    for name, meaning in _MEANING.items():
        table.add_row(name, str(ledger.totals.get(name, 0)), meaning)
    table.add_row("waiting", str(ledger.waiting), f"in the stream, {ledger.totals.get('bytes', 0)} bytes")
    table.add_row("difference", str(ledger.difference), "appended less all the others", style="bold")
    return table


def _producers(ledger: Ledger) -> Table:
    table = Table("producers", "", "created", "accepted", "held", "lost", "vanished", "dropped", title="Who made them")
    for column in table.columns[1:]:
        column.justify = "right"
    states: dict[str, list[ProducerBooks]] = {"lost spans": [], "hold spans": [], "sent all": []}
    for each in ledger.producers:
        states[_state(each)].append(each)
    for state, some in states.items():
        if some:
            table.add_row(state, *map(str, _sums(some)))
    totals = ledger.totals
    if totals.get("created"):
        dropped = sum(spans for name, spans in totals.items() if name.startswith("dropped:"))
        counts = (totals["created"], totals.get("accepted", 0), 0, totals.get("lost", 0))
        table.add_row("long gone", "", *map(str, counts), "", str(dropped))
    return table


def _state(books: ProducerBooks) -> str:
    if books.lost > 0:
        return "lost spans"
    return "hold spans" if books.held > 0 else "sent all"


def _sums(some: Sequence[ProducerBooks]) -> list[int]:
    counts = [
        (each.created, each.accepted, each.held, each.lost, each.vanished, sum(each.dropped.values())) for each in some
    ]
    return [len(some), *map(sum, zip(*counts, strict=True))]


spans.add_command(dead)
