"""Messages taken off their queues and not settled yet: claimed, renewed, settled and given back by scripts."""

import json
import secrets
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib.resources import files
from typing import Any, Final

import redis

from kombu_zipkin.broker.claimed import Along, Claimed, ClaimKeys, Settlement, Source
from kombu_zipkin.broker.line import Line

_TAG_PREFIX: Final = "kz"
_TAKING_BACK: Final = ("give_back", "restore")
_AT_ONCE: Final = 100


class Claims:
    """What one consumer holds. Any thread may call; a call is one round trip and raises what redis-py raises.

    Args:
        client: To the queue's server; not closed here.
        keys: Where.
    """

    def __init__(self, client: "redis.Redis", keys: ClaimKeys) -> None:
        self.token = secrets.token_hex(8)
        self._client = client
        self._keys = keys
        self._scripts = {name: client.register_script(_read(name)) for name in _SCRIPTS}
        self._lock = threading.Lock()  # guards _held and _doubtful
        self._held: set[str] = set()
        self._doubtful: set[str] = set()

    def claim(self, sources: Sequence[Source], limit: int) -> list[Claimed]:
        """Take up to ``limit`` messages.

        When the answer is lost, what it may have claimed is given back at the next `recover`.
        """
        keys, args, head = self._claiming(sources, limit)
        try:
            found = self._scripts["claim"](keys=keys, args=args)
        except BaseException:
            self._doubt(head, sources, limit)
            raise
        return self._claimed(found, sources)

    def settle(self, settlements: Sequence[Settlement]) -> list[bool]:
        """Be done with messages, in one step for all of them.

        Returns:
            For each whether it was still held; if not, it has been given to another consumer, and nothing was done.
        """
        keys, args = self._settling(settlements)
        with self._leaving(each.tag for each in settlements):
            held = self._scripts["settle"](keys=keys, args=args)
        return [each == 1 for each in held]

    def exchange(self, line: Line, along: Along | None, sources: Sequence[Source], limit: int) -> list[Claimed]:
        """Settle messages and claim others, in one round trip.

        Args:
            line: The calling thread's own.
            along: What to settle; its ``done`` is told. None for nothing.
            sources: Where to claim from.
            limit: How many; 0 for none.
        """
        scripts: list[Any] = []
        if along is not None:
            scripts = [*along.before, (self._scripts["settle"], *self._settling(along.settlements))]
        head = ""
        if limit:
            keys, args, head = self._claiming(sources, limit)
            scripts.append((self._scripts["claim"], keys, args))
        try:
            with self._leaving(each.tag for each in along.settlements) if along is not None else nullcontext():
                replies = line.run(scripts)
        except BaseException:
            if limit:
                self._doubt(head, sources, limit)
            raise
        claimed = []
        if limit and not isinstance(replies[-1], Exception):
            claimed = self._claimed(replies.pop(), sources)
        if along is None:
            if replies and isinstance(replies[-1], Exception):
                raise replies[-1]
            return claimed
        held = replies[len(along.before)]
        along.done(replies[: len(along.before)], held if isinstance(held, Exception) else [each == 1 for each in held])
        return claimed

    def give_back(self, tags: Sequence[str], *, at_front: bool = True, lost: str | None = None) -> int:
        """Put messages back into their queues.

        Args:
            tags: Of their claims.
            at_front: Whether they are the next to be claimed; otherwise they are the last.
            lost: Why the attempt counts as one that was lost; None when it does not.

        Returns:
            How many went.
        """
        if not tags:
            return 0
        where, why = ("front" if at_front else "back"), ("" if lost is None else json.dumps(lost))
        args: list[Any] = [self._keys.prefix, self._keys.separator, where, why, *tags]
        count: int = self._scripts["give_back"](keys=[self._keys.index, self._keys.unacked], args=args)
        self._forget(tags)
        return count

    def recover(self) -> None:
        """Give back what a claim whose answer was lost may have taken."""
        with self._lock:
            doubtful = list(self._doubtful)
        if doubtful:
            self.give_back(doubtful)
            with self._lock:
                self._doubtful.difference_update(doubtful)

    def renew(self) -> list[str]:
        """Give a sign of life for everything held.

        Returns:
            Tags that are held no more: silence lasted too long, and the messages went to another consumer.
        """
        with self._lock:
            held = list(self._held)
        if not held:
            return []
        lost = [tag.decode() for tag in self._scripts["renew"](keys=[self._keys.index], args=held)]
        if lost:  # one that was settled meanwhile is none
            with self._lock:
                lost = [tag for tag in lost if tag in self._held]
                self._held.difference_update(lost)
        return lost

    def restore(self, lease: float, stock_lease: float) -> tuple[int, list[str], list[bytes]]:
        """Give back what silent consumers hold.

        Returns:
            How many messages went back, tags of stock kombu's messages that are due, and silent waiters.
        """
        keys = [self._keys.index, self._keys.unacked, self._keys.waiters, self._keys.watch]
        args: list[Any] = [lease, stock_lease, _AT_ONCE, self._keys.prefix, self._keys.separator]
        count, stock, silent = self._scripts["restore"](keys=keys, args=args)
        return count, [tag.decode() for tag in stock], silent

    def _claiming(self, sources: Sequence[Source], limit: int) -> tuple[list[str], list[Any], str]:
        head = f"{_TAG_PREFIX}.{self.token}.{time.time_ns() // 1000:x}"
        args: list[Any] = [limit, head]
        for each in sources:
            args += (each.group, each.step, _close(each.queue) if each.recorded else "")
        return [self._keys.index, self._keys.unacked, *(each.key for each in sources)], args, head

    def _claimed(self, found: Sequence[Any], sources: Sequence[Source]) -> list[Claimed]:
        claimed, recorded = [], []
        for at in range(0, len(found), 3):
            source, tag = sources[found[at] - 1], found[at + 1].decode()
            claimed.append(Claimed(tag, source.queue, source.key, found[at + 2]))
            if source.recorded:
                recorded.append(tag)
        with self._lock:
            self._held.update(recorded)
        return claimed

    def _doubt(self, head: str, sources: Sequence[Source], limit: int) -> None:
        steps = {each.step for each in sources}
        with self._lock:
            self._doubtful.update(f"{head}.{n}.{step}" for n in range(1, limit + 1) for step in steps)

    def _settling(self, settlements: Sequence[Settlement]) -> tuple[list[str], list[Any]]:
        keys = [self._keys.index, self._keys.unacked]
        numbers: dict[str, int] = {}
        args: list[Any] = []
        for tag, key, text, score in settlements:
            if key is not None and key not in numbers:
                keys.append(key)
                numbers[key] = len(numbers) + 1
            args += (tag, 0 if key is None else numbers[key], "" if score is None else score, text)
        return keys, args

    @property
    def held(self) -> list[str]:
        """Tags of what is held now."""
        with self._lock:
            return list(self._held)

    @contextmanager
    def _leaving(self, tags: Iterable[str]) -> Iterator[None]:
        """Hold tags no more while they are settled, so that a renewal meanwhile does not take them for lost."""
        with self._lock:
            leaving = self._held.intersection(tags)
            self._held -= leaving
        try:
            yield
        except BaseException:
            with self._lock:
                self._held |= leaving
            raise

    def _forget(self, tags: Iterable[str]) -> None:
        with self._lock:
            self._held.difference_update(tags)


def claimed_seconds(tag: str) -> float | None:
    """Return when a message was claimed under a tag, in epoch seconds of the consumer's clock; None for other tags."""
    parts = tag.split(".")
    try:
        return int(parts[2], 16) / 1_000_000 if len(parts) == 5 and parts[0] == _TAG_PREFIX else None
    except ValueError:
        return None


def _close(queue: str) -> str:
    """What follows a message in kombu's hash; no quotation mark but the outer ones, so that a script can find it."""
    return ',"",' + json.dumps(queue).replace('\\"', "\\u0022") + "]"


def _read(name: str) -> str:
    folder = files("kombu_zipkin.broker")
    shared = (folder / "taking_back.lua").read_text("utf-8") if name in _TAKING_BACK else ""
    return shared + (folder / f"{name}.lua").read_text("utf-8")


_SCRIPTS: Final = ("claim", "settle", "give_back", "renew", "restore")
