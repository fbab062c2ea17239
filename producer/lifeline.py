"""A job's life on one line: how long it waited, ran, and waited again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from kombu_zipkin.jobs import Attempt, Job, JobState

_LEAST_PERCENT: Final = 0.4  # a part that can be seen
_ENDS: Final = {
    "acknowledged": "succeeded", "retried": "failed", "dead_lettered": "failed", "lost": "was lost with its worker",
}  # fmt: skip
_AFTER: Final = {"retried": ("backed_off", "backed off"), "lost": ("lost", "")}


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a life.

    Attributes:
        kind: ``waited``, ``backed_off``, ``ran``, ``acknowledged`` or ``failed``; what it looks like.
        words: What happened.
        took_ms: Milliseconds; None while it goes on, and where nobody knows.
        left: Where it begins, in percent of the life so far.
        width: How wide it is, in percent.
    """

    kind: str
    words: str
    took_ms: int | None
    left: float
    width: float


@dataclass(frozen=True, slots=True)
class _Stretch:
    kind: str
    words: str
    began_ms: int
    ended_ms: int
    is_over: bool = True


def live(job: Job) -> Sequence[Part]:
    """Return the parts of a job's life, in order; empty for one of whose attempts nothing is kept yet.

    What goes on is drawn a tenth as long as what is over, so that the page changes only when the job does.
    """
    stretches = list(_stretches(job))
    if not stretches:
        return []
    begun = stretches[0].began_ms
    over = max(1, max(each.ended_ms for each in stretches) - begun)
    open_ended = 0 if stretches[-1].is_over else max(1, over // 10)
    whole = over + open_ended
    parts = []
    for each in stretches:
        took = each.ended_ms - each.began_ms
        width = max(_LEAST_PERCENT, 100 * (took if each.is_over else open_ended) / whole)
        left = min(100 * (each.began_ms - begun) / whole, 100 - width)
        parts.append(Part(each.kind, each.words, took if each.is_over else None, round(left, 3), round(width, 3)))
    return parts


def _stretches(job: Job) -> Iterator[_Stretch]:
    at, before = job.created_ms, "waited"
    words = "waited in the queue"
    for attempt, following in zip_longest(job.history, job.history[1:]):
        began = max(at, attempt.started_ms)
        if before != "lost":
            yield _Stretch(before, words, at, began)
        # when a lost one was lost nobody knows: its stretch ends where the job was found again
        at = max(began, attempt.ended_ms or (following.started_ms if following else began))
        yield _ran(attempt, began, at)
        before, words = _AFTER.get(attempt.outcome, ("waited", "waited again"))
    if job.state is JobState.QUEUED:
        yield _Stretch("waited", "waits in the queue", at, at, is_over=False)
    elif job.state is JobState.WAITING:
        words = "backs off" if job.history else "waits for its time"
        yield _Stretch("backed_off", words, at, at, is_over=False)


def _ran(attempt: Attempt, began: int, ended: int) -> _Stretch:
    name = f"attempt {attempt.number}"
    if attempt.outcome == "running":
        return _Stretch("ran", f"{name} runs", began, began, is_over=False)
    kind = "acknowledged" if attempt.outcome == "acknowledged" else "failed"
    return _Stretch(kind, f"{name} {_ENDS.get(attempt.outcome, attempt.outcome)}", began, ended)
