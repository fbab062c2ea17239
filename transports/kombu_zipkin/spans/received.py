"""What a relay holds of the stream, and what became of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kombu_zipkin.spans.entry import Entry, MalformedEntry, parse_entry


class Received(NamedTuple):
    """An entry that this consumer holds until it is settled.

    Attributes:
        id: The entry's id in the stream; its first part is epoch milliseconds.
        entry: The batch; None when its fields could not be read.
        raw: The fields as they were found, names and values in turn.
        fault: Why the fields could not be read; None when they could.
    """

    id: str
    entry: Entry | None
    raw: Sequence[bytes]
    fault: str | None = None

    @property
    def fields(self) -> dict[bytes, bytes]:
        """The fields by name."""
        return dict(zip(self.raw[::2], self.raw[1::2], strict=False))

    @property
    def charged_bytes(self) -> int:
        """What the entry was charged to the budget, by its own field ``z``; it is the third, or nobody charged it."""
        charged = self.raw[5] if self.raw[4:5] == [b"z"] else b""
        return int(charged) if charged.isdigit() else 0


@dataclass(frozen=True, slots=True)
class DeadRecord:
    """Spans that Zipkin will never take: their number and the fields to keep of them."""

    spans: int
    fields: list[bytes | str | int]


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of one entry: how many spans were delivered, and what is left of the others."""

    received: Received
    delivered: int
    dead: Sequence[DeadRecord] = field(default_factory=tuple)


def parse_entries(entries: Iterable[Any]) -> list[Received]:
    """Read entries as Redis sends them: an id, and names and values in turn. What was deleted is left out."""
    parsed = []
    for pair in entries:
        if pair is None or pair[1] is None:
            continue
        name, raw = pair[0].decode(), pair[1]
        try:
            parsed.append(Received(name, parse_entry(raw), raw))
        except MalformedEntry as fault:
            parsed.append(Received(name, None, raw, str(fault)))
    return parsed
