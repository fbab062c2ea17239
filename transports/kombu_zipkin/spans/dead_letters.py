"""All dead letters of a stream: list, show, send again, throw away."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from kombu_zipkin.errors import ConfigurationError
from kombu_zipkin.spans.batches import MAX_BYTES, MAX_SPANS
from kombu_zipkin.spans.client import connect, translated
from kombu_zipkin.spans.dead_letter import DeadLetter, entry_again, is_good, parse_letter
from kombu_zipkin.spans.keys import DEFAULT_STREAM, StreamKeys
from kombu_zipkin.spans.scripts import Scripts

_PAGE: Final = 200

Progress = Callable[[int], None]
"""Told after each step how many letters it has looked at."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What a replay or a purge did, or would do.

    Attributes:
        letters: How many dead letters it moved.
        spans: How many spans they counted.
        gone: How many were named that are no longer there: somebody else was quicker.
        unreadable: Ids of those that cannot be sent again, for they are no span and no entry; they stay.
    """

    letters: int = 0
    spans: int = 0
    gone: int = 0
    unreadable: tuple[str, ...] = ()


class DeadLetters:
    """The dead letters of one stream. Several operators may work on them at the same time; `close` when done.

    Args:
        url: The Redis that holds the stream.
        stream: The stream's name.

    Raises:
        ConfigurationError: The URL is not one.
    """

    def __init__(self, url: str, *, stream: str = DEFAULT_STREAM) -> None:
        self._keys = StreamKeys(stream)
        self._client = connect(url, timeout=10.0)
        self._scripts = Scripts(self._client, self._keys, "replay", "purge")
        self._producer, self._sequence = f"replay-{secrets.token_hex(6)}", 0

    def list(self, reason: str | None = None, start: str | None = None, limit: int = 100) -> Sequence[DeadLetter]:
        """Return up to ``limit`` letters, the oldest first.

        Args:
            reason: Only those whose reason contains this text.
            start: The id after which to go on: that of the last letter of the page before.
            limit: How many.

        Raises:
            StreamUnavailable: Redis did not answer.
        """
        found: list[DeadLetter] = []
        start = "-" if start is None else f"({start}"
        while len(found) < limit:
            page = self._range(start, "+", _PAGE)
            found += [letter for letter in page if reason is None or reason in letter.reason]
            if len(page) < _PAGE:
                break
            start = f"({page[-1].id}"
        return found[:limit]

    def show(self, letter_id: str) -> DeadLetter | None:
        """Return one letter; None when it is not there.

        Raises:
            StreamUnavailable: Redis did not answer, or this is no id.
        """
        page = self._range(letter_id, letter_id, 1)
        return page[0] if page else None

    def replay(
        self,
        ids: Sequence[str] | None = None,
        *,
        reason: str | None = None,
        everything: bool = False,
        progress: Progress | None = None,
        dry_run: bool = False,
    ) -> Moved:
        """Put letters back onto the stream, each exactly once, whoever else does the same and whatever breaks.

        Spans become new entries of up to 500; a whole entry is appended again as it was. Name letters by their ids, or
        by a text that their reason contains, or ask for everything that is there now.

        Raises:
            ConfigurationError: Not exactly one of the three is given.
            StreamUnavailable: Redis did not answer; what was not moved is still there, so do it again.
        """
        return self._each(ids, reason, everything, progress, _would_replay if dry_run else self._replay)

    def purge(
        self,
        ids: Sequence[str] | None = None,
        *,
        reason: str | None = None,
        everything: bool = False,
        progress: Progress | None = None,
        dry_run: bool = False,
    ) -> Moved:
        """Throw letters away, counted as ``purged``. Named as in `replay`.

        Raises:
            ConfigurationError: Not exactly one of the three is given.
            StreamUnavailable: Redis did not answer; what was not thrown away is still there, so do it again.
        """
        return self._each(ids, reason, everything, progress, _would_purge if dry_run else self._purge)

    def close(self) -> None:
        """Give the connection back."""
        self._client.close()

    def _each(
        self,
        ids: Sequence[str] | None,
        reason: str | None,
        everything: bool,
        progress: Progress | None,
        act: Callable[[Sequence[DeadLetter]], Moved],
    ) -> Moved:
        if (ids is not None) + (reason is not None) + everything != 1:
            raise ConfigurationError("dead letters: expected ids, or a reason, or everything")
        total = Moved()
        for asked, letters in self._named(ids) if ids is not None else self._matching(reason):
            total = _sum(total, act(letters))
            if ids is not None:
                total = replace(total, gone=total.gone + asked - len(letters))
            if progress is not None:
                progress(asked)
        return total

    def _named(self, ids: Sequence[str]) -> Iterator[tuple[int, Sequence[DeadLetter]]]:
        unique = list(dict.fromkeys(ids))
        for at in range(0, len(unique), _PAGE):
            some = unique[at : at + _PAGE]
            yield len(some), [letter for each in some if (letter := self.show(each)) is not None]

    def _matching(self, reason: str | None) -> Iterator[tuple[int, Sequence[DeadLetter]]]:
        """Give page after page of what is there now; what dies while it runs is left out, or it would never end."""
        with translated(f"look at {self._keys.dead}"):
            newest: Any = self._client.xrevrange(self._keys.dead, count=1)
        start = "-"
        while newest:
            page = self._range(start, newest[0][0].decode(), _PAGE)
            yield len(page), [letter for letter in page if reason is None or reason in letter.reason]
            if len(page) < _PAGE:
                return
            start = f"({page[-1].id}"

    def _range(self, start: str, end: str, count: int) -> Sequence[DeadLetter]:
        with translated(f"look at {self._keys.dead}"):
            page: Any = self._client.xrange(self._keys.dead, start, end, count=count)
        return [parse_letter(letter_id.decode(), fields) for letter_id, fields in page]

    def _replay(self, letters: Sequence[DeadLetter]) -> Moved:
        total = Moved()
        bad = tuple(letter.id for letter in letters if not is_good(letter))
        for some in _entries([letter for letter in letters if letter.id not in bad]):
            total = _sum(total, self._move(some))
        return _sum(total, Moved(unreadable=bad))

    def _move(self, letters: Sequence[DeadLetter]) -> Moved:
        """Make one entry of some letters; of those that are left, when somebody else was quicker with others."""
        keys, left = self._keys, list(letters)
        while left:
            self._sequence += 1
            entry = entry_again(left, self._producer, self._sequence)
            ids = [letter.id for letter in left]
            with translated(f"replay {len(left)} dead letters of {keys.stream}"):
                args = [entry.spans, entry.charged_bytes, len(ids), *ids, *entry.fields()]
                gone = {
                    each.decode() for each in self._scripts.run("replay", [keys.stream, keys.totals, keys.dead], args)
                }
            if not gone:
                break
            left = [letter for letter in left if letter.id not in gone]
        return Moved(len(left), sum(letter.spans for letter in left), len(letters) - len(left))

    def _purge(self, letters: Sequence[DeadLetter]) -> Moved:
        if not letters:
            return Moved()
        with translated(f"purge {len(letters)} dead letters of {self._keys.stream}"):
            keys = [self._keys.totals, self._keys.dead]
            moved, spans = self._scripts.run("purge", keys, [letter.id for letter in letters])
        return Moved(moved, spans, len(letters) - moved)


def _entries(letters: Sequence[DeadLetter]) -> Iterator[list[DeadLetter]]:
    """Put letters together by the entry that they become: spans up to a batch's bounds, a whole entry by itself."""
    some: list[DeadLetter] = []
    size = 0
    for letter in letters:
        if letter.span is None:
            yield [letter]
            continue
        if some and (len(some) >= MAX_SPANS or size + len(letter.span) > MAX_BYTES):
            yield some
            some, size = [], 0
        some.append(letter)
        size += len(letter.span)
    if some:
        yield some


def _would_replay(letters: Sequence[DeadLetter]) -> Moved:
    good = [letter for letter in letters if is_good(letter)]
    bad = tuple(letter.id for letter in letters if not is_good(letter))
    return Moved(len(good), sum(letter.spans for letter in good), 0, bad)


def _would_purge(letters: Sequence[DeadLetter]) -> Moved:
    return Moved(len(letters), sum(letter.spans for letter in letters))


def _sum(one: Moved, other: Moved) -> Moved:
    return Moved(
        one.letters + other.letters,
        one.spans + other.spans,
        one.gone + other.gone,
        one.unreadable + other.unreadable,
    )
