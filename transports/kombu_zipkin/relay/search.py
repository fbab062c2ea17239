"""Find the spans that Zipkin refuses, among entries that it refused together."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from kombu_zipkin.relay.answers import Verdict, is_zipkins_own
from kombu_zipkin.relay.burial import dead_span
from kombu_zipkin.relay.opened import Opened
from kombu_zipkin.relay.posting import Posting, keep
from kombu_zipkin.spans import DeadRecord, Settlement, compress
from kombu_zipkin.zipkin import Answer

_ENOUGH_REFUSALS: Final = 10


@dataclass(slots=True)
class _Tally:
    """One entry while its spans become known."""

    entry: Opened
    unknown: int
    delivered: int = 0
    dead: list[DeadRecord] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Doubted:
    """A span that was refused in words that are not Zipkin's, and is asked about once more."""

    place: int
    posts: int


class Search:
    """One bisection over the spans of some entries, as one list. Used once, by one thread.

    For k bad spans among n it needs at most ``1 + 2k * ceil(log2 n)`` POSTs, the refused one before it included. A
    refusal that is not in Zipkin's own words may come from a proxy in trouble: such a span is posted once more, by
    itself, after Zipkin took something else, before it is believed to be bad.

    Args:
        posting: Where the POSTs go.
        entries: Sound entries, refused together.
        attempt: How often they were tried.
    """

    def __init__(self, posting: Posting, entries: Sequence[Opened], attempt: int) -> None:
        self._posting = posting
        self._tallies = [_Tally(entry, len(entry.spans)) for entry in entries]
        self._spans = [(tally, span) for tally in self._tallies for span in tally.entry.spans]
        self._posts_before = attempt
        self._doubted: list[_Doubted] = []
        self._any_accepted = False
        self._refusals = 0

    def run(self, answer: Answer, verdict: Verdict) -> Iterator[list[Settlement]]:
        """Search, yielding the settlement of each entry as soon as all of its spans are known.

        Raises:
            ZipkinUnavailable: Zipkin takes nothing right now; the entries not yielded are to be delivered again.
        """
        if len(self._spans) == 1:
            self._judge_alone(0, answer, verdict, self._posts_before)
            yield from self._known()
        else:
            yield from self._split(0, len(self._spans), verdict, self._posts_before)
        if self._doubted and not self._any_accepted:
            self._posting.probe()
        for doubted in self._doubted:
            yield from self._ask_again(doubted)

    def _split(self, begin: int, end: int, why: Verdict, posts: int) -> Iterator[list[Settlement]]:
        """Look into a range of two or more spans that is refused as a whole."""
        middle = (begin + end) // 2
        first_is_good = yield from self._try(begin, middle, posts)
        if first_is_good and why is Verdict.REFUSED and end - middle > 1:
            yield from self._split(middle, end, why, posts)  # so the bad one is there; no POST needed to know
        else:
            yield from self._try(middle, end, posts)

    def _try(self, begin: int, end: int, posts: int) -> Generator[list[Settlement], None, bool]:
        """Post a range; the generator's value is whether Zipkin took it."""
        answer, verdict = self._post(begin, end)
        if verdict is Verdict.ACCEPTED:
            self._any_accepted = True
            for tally, _ in self._spans[begin:end]:
                tally.unknown -= 1
                tally.delivered += 1
            yield from self._known()
            return True
        if verdict not in (Verdict.REFUSED, Verdict.TOO_LARGE):
            raise keep(answer, verdict)
        self._refusals += 1
        if self._refusals == _ENOUGH_REFUSALS and not self._any_accepted and not is_zipkins_own(answer):
            self._posting.probe()  # what takes nothing at all need not be asked about each span
        if end - begin == 1:
            self._judge_alone(begin, answer, verdict, posts + 1)
            yield from self._known()
        else:
            yield from self._split(begin, end, verdict, posts + 1)
        return False

    def _judge_alone(self, place: int, answer: Answer, verdict: Verdict, posts: int) -> None:
        """Bury a span that was refused by itself; ask again later if something else may have refused it."""
        if is_zipkins_own(answer):
            self._bury(place, answer, verdict, posts)
        else:
            self._doubted.append(_Doubted(place, posts))

    def _ask_again(self, doubted: _Doubted) -> Iterator[list[Settlement]]:
        answer, verdict = self._post(doubted.place, doubted.place + 1)
        if verdict is Verdict.ACCEPTED:
            tally, _ = self._spans[doubted.place]
            tally.unknown -= 1
            tally.delivered += 1
        elif verdict in (Verdict.REFUSED, Verdict.TOO_LARGE):
            self._bury(doubted.place, answer, verdict, doubted.posts + 1)
        else:
            raise keep(answer, verdict)
        yield from self._known()

    def _bury(self, place: int, answer: Answer, verdict: Verdict, posts: int) -> None:
        tally, span = self._spans[place]
        reason = "too large for Zipkin" if verdict is Verdict.TOO_LARGE else "refused by Zipkin"
        tally.dead.append(dead_span(tally.entry.received, span, reason, posts, answer))
        tally.unknown -= 1

    def _post(self, begin: int, end: int) -> tuple[Answer, Verdict]:
        return self._posting.post([compress(b",".join(span for _, span in self._spans[begin:end]))])

    def _known(self) -> Iterator[list[Settlement]]:
        """Yield the entries of which nothing is unknown any more, once."""
        known = [tally for tally in self._tallies if not tally.unknown]
        if known:
            self._tallies = [tally for tally in self._tallies if tally.unknown]
            yield [Settlement(tally.entry.received, tally.delivered, tally.dead) for tally in known]
