"""What became of every span of a run: from outside the processes, from the books, and from Zipkin."""

import json
import urllib.parse
import urllib.request
from collections import Counter
from dataclasses import dataclass

from kombu_zipkin.spans import Ledger, ProducerBooks, read_ledger
from tests.faults.app import SPANS, span_id, trace_id
from tests.faults.poison import Poison
from tests.faults.system import System

_AT_ONCE = 90
_NO_TRACE = "f" * 32


@dataclass(slots=True)
class Account:
    """The sums of a run, in spans.

    Attributes:
        created: Handed over, counted outside of the processes.
        accepted: Taken over by Redis, by the books.
        dropped: By the producers, with a cause.
        killed: Held by a process when it was killed, neither acknowledged nor appended.
        in_zipkin: Found in Zipkin's storage.
        missing: Accepted by Redis and not in Zipkin.
        surplus: In Zipkin and never accepted.
        doubled: More than once in Zipkin.
        unexplained: What the equations leave over.
    """

    created: int = 0
    accepted: int = 0
    dropped: int = 0
    killed: int = 0
    vanished: int = 0
    in_zipkin: int = 0
    missing: int = 0
    surplus: int = 0
    doubled: int = 0
    unexplained: int = 0


def reckon(system: System) -> tuple[Account, Ledger]:
    """Look at every process of a run that has finished."""
    ledger, account = read_ledger(system.redis.url), Account()
    books = {
        int(each.producer.rsplit("-", 2)[1]): each
        for each in ledger.producers
        if not each.producer.startswith("poison")
    }
    stored = _stored(system)
    for slot in range(system.slots):
        tally = system.tally(slot)
        if tally.pid:
            _add(account, system, slot, books.get(tally.pid), stored)
    account.in_zipkin = sum(stored.values())
    account.doubled = sum(count - 1 for count in stored.values())
    return account, ledger


def _add(account: Account, system: System, slot: int, books: ProducerBooks | None, stored: Counter[str]) -> None:
    tally = system.tally(slot)
    accepted, vanished = (books.accepted, books.vanished) if books is not None else (0, 0)
    dropped = sum(books.dropped.values()) if books is not None else 0
    account.created += tally.done
    account.accepted += accepted
    account.dropped += dropped
    account.vanished += vanished
    killed = tally.done - accepted - dropped - vanished
    if killed < 0:  # its last trace was handed over, and appended, before it could be counted
        account.created += min(-killed, tally.begun - tally.done)
        killed += min(-killed, tally.begun - tally.done)
    if tally.ended or killed < 0:
        account.unexplained += abs(killed)
    else:
        account.killed += killed
    if not dropped and not vanished:  # then what was accepted are the first so many
        there = [bool(stored[span_id(slot, number)]) for number in range(tally.begun)]
        account.missing += accepted - sum(there[:accepted])
        account.surplus += sum(there[accepted:])
    else:
        there = [bool(stored[span_id(slot, number)]) for number in range(tally.begun)]
        account.missing += max(0, accepted + vanished - sum(there))


def good_beside_poison(system: System, poison: Poison) -> tuple[int, int]:
    """Return how many good spans there were beside bad ones, and how many of them are in Zipkin."""
    found = _ids_of(system, list(poison.good))
    wanted = [each for ids in poison.good.values() for each in ids]
    return len(wanted), sum(found[each] == 1 for each in wanted)


def _stored(system: System) -> Counter[str]:
    """Return how often each span id of the apps is in Zipkin."""
    traces = [
        trace_id(system.run, slot, number)
        for slot in range(system.slots)
        for number in range(0, system.tally(slot).begun, SPANS)
    ]
    return _ids_of(system, traces)


def _ids_of(system: System, traces: list[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for begin in range(0, len(traces), _AT_ONCE):
        asked = [*traces[begin : begin + _AT_ONCE], _NO_TRACE]  # Zipkin refuses a question for one trace alone
        query = urllib.parse.urlencode({"traceIds": ",".join(asked)})
        with urllib.request.urlopen(f"{system.zipkin.url}/api/v2/traceMany?{query}", timeout=60) as page:
            for trace in json.load(page):
                found.update(span["id"] for span in trace)
    return found
