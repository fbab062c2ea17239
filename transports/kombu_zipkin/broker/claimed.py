"""What is claimed, from where, and how it ends."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple


class Source(NamedTuple):
    """A list to claim from.

    Attributes:
        key: Of the list.
        queue: The queue whose messages it holds.
        step: kombu's priority step of it; 0 is the most urgent.
        group: Lists of one group take turns; an earlier group is emptied first.
        recorded: Whether what is claimed is recorded as unacknowledged; not for consumers with ``no_ack``.
    """

    key: str
    queue: str
    step: int = 0
    group: int = 0
    recorded: bool = True


class Claimed(NamedTuple):
    """A message that is claimed.

    Attributes:
        tag: Names this claim of it; it is another one after a redelivery, so a late acknowledgement touches nothing.
        queue: The queue it was in.
        key: The list it was taken from.
        raw: What lay in the list.
    """

    tag: str
    queue: str
    key: str
    raw: bytes


class Settlement(NamedTuple):
    """How a message ends.

    Attributes:
        tag: Of its claim.
        key: Where ``text`` goes in the same step; None for nowhere.
        text: A message, for a dead letter or a retry.
        score: The text's score in a sorted set; None when the key is a list.
    """

    tag: str
    key: str | None = None
    text: bytes = b""
    score: int | None = None


class Along(NamedTuple):
    """What goes with a claim, in the same round trip.

    Attributes:
        settlements: Settled before the claim.
        before: Scripts with keys and arguments, run before that; one may fail and hinder nothing.
        done: Told of the replies to ``before``, an error where Redis refused one, and for each settlement whether the
            message was still held; or the error, then nothing was settled.
    """

    settlements: Sequence[Settlement]
    before: Sequence[tuple[Any, Sequence[Any], Sequence[Any]]]
    done: Callable[[list[Any], "list[bool] | Exception"], None]


@dataclass(frozen=True, slots=True)
class ClaimKeys:
    """The keys of one system of consumers; all but the last two are kombu's.

    Attributes:
        index: Sorted set: tag by epoch seconds of the last sign of life.
        unacked: Hash: tag to ``[message, exchange, routing key]``.
        prefix: Of every list of messages.
        separator: Between a list's key and its priority step.
        waiters: Sorted set: who waits for a message, by epoch seconds of the last sign of life.
        watch: Hash: when somebody last looked for silent consumers.
    """

    index: str
    unacked: str
    prefix: str
    separator: str

    @property
    def waiters(self) -> str:
        """Of the waiters."""
        return f"{self.unacked}_waiters"

    @property
    def watch(self) -> str:
        """Of the last look."""
        return f"{self.unacked}_watch"
