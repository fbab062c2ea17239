"""A job's life as parts of a line."""

from dataclasses import replace
from itertools import pairwise

import pytest

from kombu_zipkin.jobs import Attempt, Job, JobState
from producer.lifeline import live

JOB = Job("j", "flaky", {}, "jobs", JobState.QUEUED, None, False, 1000)
FAILED = Attempt(1, 1010, 1030, "retried", "RuntimeError: no")


@pytest.mark.parametrize(
    ("state", "history", "told"),
    [
        (JobState.QUEUED, (), [("waits in the queue", None)]),
        (JobState.WAITING, (), [("waits for its time", None)]),
        (JobState.RUNNING, (Attempt(1, 1010),), [("waited in the queue", 10), ("attempt 1 runs", None)]),
        (
            JobState.WAITING,
            (FAILED,),
            [("waited in the queue", 10), ("attempt 1 failed", 20), ("backs off", None)],
        ),
        (
            JobState.SUCCEEDED,
            (FAILED, Attempt(2, 1530, 1540, "acknowledged")),
            [
                *(("waited in the queue", 10), ("attempt 1 failed", 20), ("backed off", 500)),
                ("attempt 2 succeeded", 10),
            ],
        ),
        (
            JobState.DEAD_LETTERED,
            (Attempt(1, 1010, None, "lost"), Attempt(2, 3010, 3030, "dead_lettered", "no")),
            [("waited in the queue", 10), ("attempt 1 was lost with its worker", 2000), ("attempt 2 failed", 20)],
        ),
    ],
)
def test_each_part_is_told_in_order(
    state: JobState, history: tuple[Attempt, ...], told: list[tuple[str, int | None]]
) -> None:
    """In words, and how long it took; what goes on has no length yet."""
    parts = live(replace(JOB, state=state, history=history))
    assert [(part.words, part.took_ms) for part in parts] == told
    assert all(first.left <= second.left for first, second in pairwise(parts))
    assert all(part.left >= 0 and part.left + part.width <= 100.01 for part in parts)


def test_clocks_that_disagree_draw_nothing_negative() -> None:
    """A worker whose clock is behind began before the job was posted."""
    parts = live(replace(JOB, state=JobState.SUCCEEDED, history=(Attempt(1, 900, 950, "acknowledged"),)))
    assert [(part.took_ms, part.left >= 0, part.width > 0) for part in parts] == [(0, True, True), (0, True, True)]
