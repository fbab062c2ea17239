"""Who decides about a trace, and how."""

import pytest

from kombu_zipkin.errors import ConfigurationError
from kombu_zipkin.tracing import (
    ALWAYS,
    NEVER,
    RateLimitSampler,
    RuleSampler,
    SpanRecorder,
    TraceContext,
    TraceIdSampler,
    Tracer,
)

TRACE_ID = "463ac35c9f6413ad48485a3953bb6124"


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def kept(sampler: RateLimitSampler, asked: int) -> int:
    """Return how many of so many new traces are kept."""
    return sum(sampler.is_sampled(TRACE_ID, "x", begins=True) for _ in range(asked))


def test_a_limit_spreads_its_allowance_over_tenths_of_a_second() -> None:
    """A burst gets a tenth of it, the second as a whole all of it, the next second again."""
    clock = Clock()
    sampler = RateLimitSampler(50, clock=clock)
    by_tenth = []
    for tenth in range(10):
        clock.now = 100.05 + tenth / 10
        by_tenth.append(kept(sampler, 100))
    assert by_tenth == [5] * 10
    clock.now = 101.05
    assert kept(sampler, 100) == 5


def test_what_a_quiet_tenth_left_may_be_used_in_the_same_second() -> None:
    """But not in the next one."""
    clock = Clock()
    sampler = RateLimitSampler(50, clock=clock)
    clock.now = 100.95
    assert kept(sampler, 100) == 50
    clock.now = 102.05
    assert kept(sampler, 100) == 5


@pytest.mark.parametrize(("per_second", "first_tenth"), [(0, 0), (1, 1), (9, 1), (11, 2)])
def test_a_small_limit_keeps_one_at_once(per_second: int, first_tenth: int) -> None:
    """And not only at the end of the second."""
    clock = Clock()
    sampler = RateLimitSampler(per_second, clock=clock)
    assert kept(sampler, 100) == first_tenth
    clock.now = 100.95
    assert kept(sampler, 100) == per_second - first_tenth


def test_a_trace_that_came_undecided_is_decided_by_its_id_not_by_the_limit() -> None:
    """Two attempts of a job must get the same answer."""
    sampler = RateLimitSampler(0, undecided=ALWAYS)
    assert [sampler.is_sampled(TRACE_ID, "x", begins=False) for _ in range(3)] == [True] * 3
    assert not sampler.is_sampled(TRACE_ID, "x", begins=True)


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("GET /search", False),
        ("GET /search?q=x", False),
        ("GET /", True),
        ("publish charge", False),
        ("publish x", True),
    ],
)
def test_the_first_rule_that_fits_decides(subject: str, expected: bool) -> None:
    """Exactly, or by its beginning."""
    sampler = RuleSampler({"GET /search*": NEVER, "publish charge": NEVER, "publish *": ALWAYS})
    assert sampler.is_sampled(TRACE_ID, subject, begins=True) is expected


@pytest.mark.parametrize(
    "make", [lambda: TraceIdSampler(1.5), lambda: TraceIdSampler(-0.1), lambda: RateLimitSampler(-1)]
)
def test_a_number_out_of_range_is_refused(make: object) -> None:
    """When the sampler is made."""
    assert callable(make)
    with pytest.raises(ConfigurationError, match="expected"):
        make()


def test_a_tracer_asks_once_with_the_subject_and_whether_the_trace_begins() -> None:
    """Children and decided traces are not asked about."""
    asked: list[tuple[str, bool]] = []

    class Noting:
        def is_sampled(self, trace_id: str, subject: str, *, begins: bool) -> bool:
            asked.append((subject, begins))
            return True

    tracer = Tracer("shop", SpanRecorder(), sampler=Noting(), host="10.0.0.1")
    with tracer.root("get", subject="GET /jobs/42"), tracer.child("x"):
        pass
    with tracer.root("process jobs", context=TraceContext(TRACE_ID, "a2fb4a1d1a96d312")):
        pass
    with tracer.root("y", context=TraceContext(TRACE_ID, "a2fb4a1d1a96d312", sampled=False)):
        pass
    with tracer.child("publish jobs"):
        pass
    assert asked == [("GET /jobs/42", True), ("process jobs", False), ("publish jobs", True)]
