"""A process that makes spans and is killed: ``python -m tests.faults.app URL FILE SLOT RUN PAUSE``.

What it has handed over is counted outside of it, in a file that survives its SIGKILL. Its spans' ids follow from its
slot and their number, so that each can be looked for. SIGTERM ends it in good order.
"""

import mmap
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from py_zipkin import Kind
from py_zipkin.encoding import Span, create_endpoint

from kombu_zipkin.runtime import stop_on_signals
from kombu_zipkin.spans import RedisStreamTransport

SPANS: Final = 4  # of a trace
_SLOT: Final = struct.Struct("<QQQQ")


@dataclass(frozen=True, slots=True)
class Tally:
    """What is known of one process from outside.

    Attributes:
        begun: Spans it was about to hand over.
        done: Spans it has handed over; less than ``begun`` by a trace if it was killed in between.
        pid: Its process id; 0 before it ran.
        ended: Whether it ended in good order.
    """

    begun: int
    done: int
    pid: int
    ended: bool


def trace_id(run: int, slot: int, number: int) -> str:
    """Return the trace id of a process's span of that number."""
    return f"{run:08x}{slot + 1:08x}{number // SPANS + 1:016x}"


def span_id(slot: int, number: int) -> str:
    """Return the id of a process's span of that number, from 0."""
    return f"{slot + 1:04x}{number + 1:012x}"


def read_tally(path: Path, slot: int) -> Tally:
    """Read what a process left."""
    with path.open("rb") as file:
        file.seek(slot * _SLOT.size)
        begun, done, pid, ended = _SLOT.unpack(file.read(_SLOT.size))
    return Tally(begun, done, pid, bool(ended))


def make_file(path: Path, slots: int) -> None:
    """Make the file for so many processes."""
    path.write_bytes(bytes(slots * _SLOT.size))


@contextmanager
def _counting(path: Path, slot: int) -> Iterator[memoryview]:
    """Lend the numbers of a slot: begun, done, pid, ended."""
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        view = memoryview(memory)
        numbers = view[slot * _SLOT.size : (slot + 1) * _SLOT.size].cast("Q")
        try:
            yield numbers
        finally:
            numbers.release()
            view.release()


def make_trace(run: int, slot: int, first: int) -> list[Span]:
    """Make one trace: a root and three children."""
    endpoint = create_endpoint(80, "shop", "10.0.0.1")
    parent = span_id(slot, first)
    return [
        Span(
            trace_id(run, slot, number),
            "get /" if number == first else "do_stuff",
            None if number == first else parent,
            span_id(slot, number),
            Kind.SERVER if number == first else Kind.LOCAL,
            1_700_000_000.0 + number,
            0.01,
            endpoint,
            tags={"number": str(number)},
        )
        for number in range(first, first + SPANS)
    ]


def main(url: str, path: Path, slot: int, run: int, pause: float) -> None:
    """Hand over trace after trace; with an even slot a forked child does so too, in the slot after it."""
    transport = RedisStreamTransport(url)
    child = 0
    if slot % 2 == 0:
        child = os.fork()
        slot += child == 0
    stop = stop_on_signals()
    with _counting(path, slot) as numbers:
        numbers[2], number = os.getpid(), 0
        while not stop.wait(pause):
            numbers[0] = number + SPANS
            transport.report(make_trace(run, slot, number))
            number += SPANS
            numbers[1] = number
        transport.close(20.0)
        numbers[3] = 1
    if child:
        os.waitpid(child, 0)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(arguments[0], Path(arguments[1]), int(arguments[2]), int(arguments[3]), float(arguments[4]))
