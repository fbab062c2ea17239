"""Deliver entries to Zipkin: all at once if it takes them, else down to the one that it refuses."""

from collections.abc import Iterator, Sequence
from typing import Final

from kombu_zipkin.relay.answers import Verdict
from kombu_zipkin.relay.burial import bury_entry, entry_of
from kombu_zipkin.relay.opened import Opened, open_entry
from kombu_zipkin.relay.posting import Posting, keep
from kombu_zipkin.relay.search import Search
from kombu_zipkin.relay.vetting import Vetting
from kombu_zipkin.spans import Received, Settlement
from kombu_zipkin.zipkin import Answer

_DOUBTED_AFTER: Final = 2
_SMALL_BYTES: Final = 64 * 1024


class Delivery:
    """Posts entries and says what became of each. Any thread may use it.

    Args:
        posting: Where the POSTs go.
    """

    def __init__(self, posting: Posting) -> None:
        self._posting = posting
        self._vetting = Vetting()

    def deliver(self, held: Sequence[Received], *, attempt: int = 1) -> Iterator[list[Settlement]]:
        """Post entries, yielding what became of them after each POST that tells.

        Args:
            held: What to deliver.
            attempt: How often these were tried, this time included.

        Raises:
            ZipkinUnavailable: Zipkin takes nothing right now; what was not yielded is to be delivered again.
        """
        faults = {received.id: fault for received in held if (fault := self._fault_of(received, attempt))}
        if faults:
            yield [bury_entry(received, faults[received.id], attempt) for received in held if received.id in faults]
        sound = [received for received in held if received.id not in faults]
        if sound:
            yield from self._send(sound, attempt)

    def _fault_of(self, received: Received, attempt: int) -> str | None:
        """Say what is wrong with an entry before it is posted; None for what is sound, or not looked into."""
        if received.entry is None:
            return received.fault or "malformed entry"
        if attempt == 1 and self._vetting.wants(received.entry):
            opened = open_entry(received)
            return opened if isinstance(opened, str) else None
        return None

    def _send(self, held: Sequence[Received], attempt: int) -> Iterator[list[Settlement]]:
        pieces = [entry_of(received).piece for received in held]
        answer, verdict = self._posting.post(pieces)
        if verdict is Verdict.TOO_LARGE and sum(len(piece.payload) for piece in pieces) < _SMALL_BYTES:
            self._posting.probe()  # what finds this too large may find everything so: then it is no use to halve it
        if verdict is Verdict.ACCEPTED:
            yield _delivered(held)
        elif verdict in (Verdict.TOO_LARGE, Verdict.TIMED_OUT) and len(held) > 1:
            for half in _halves(held):
                yield from self._send(half, attempt)
        elif verdict in (Verdict.TOO_LARGE, Verdict.REFUSED, Verdict.SUSPECT):
            yield from self._look_into(held, answer, verdict, attempt)
        else:
            raise keep(answer, verdict)

    def _look_into(
        self, held: Sequence[Received], answer: Answer, verdict: Verdict, attempt: int
    ) -> Iterator[list[Settlement]]:
        """Find what a refused POST was refused for: entries that are not what they promise, else a bad span."""
        checked = [open_entry(received) for received in held]
        sound = [entry for entry in checked if isinstance(entry, Opened)]
        corrupt = [
            bury_entry(received, entry, attempt, answer)
            for received, entry in zip(held, checked, strict=True)
            if isinstance(entry, str)
        ]
        if corrupt:
            yield corrupt
            if sound:
                yield from self._send([entry.received for entry in sound], attempt)
        elif verdict is not Verdict.SUSPECT:
            yield from Search(self._posting, sound, attempt).run(answer, verdict)
        elif attempt >= _DOUBTED_AFTER and len(held) > 1:
            yield from self._apart(held, answer)
        else:
            raise keep(answer, verdict)

    def _apart(self, held: Sequence[Received], answer: Answer) -> Iterator[list[Settlement]]:
        """Zipkin fails again and again on these together: deliver what it takes without the one that ails it.

        No dead letter is made of the rest, for whatever fails on everything is an outage.
        """
        failing = []
        for half in _halves(held):
            said, verdict = self._posting.post([entry_of(received).piece for received in half])
            if verdict is Verdict.ACCEPTED:
                yield _delivered(half)
            else:
                failing.append(half)
                answer = said
        if len(failing) == 1 and len(failing[0]) > 1:
            yield from self._apart(failing[0], answer)
        elif failing:
            raise keep(answer, Verdict.SUSPECT)


def _delivered(held: Sequence[Received]) -> list[Settlement]:
    return [Settlement(received, entry_of(received).spans) for received in held]


def _halves(held: Sequence[Received]) -> tuple[Sequence[Received], Sequence[Received]]:
    middle = len(held) // 2
    return held[:middle], held[middle:]
