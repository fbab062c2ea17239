"""Interleaved rounds: each case in turn, medians and spread of time and of CPU."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

ROUNDS = 9


@dataclass(slots=True)
class Case:
    """One thing to measure.

    Attributes:
        name: As in the table.
        work: Called ``calls`` times a round.
        calls: How often.
        settle: Waits until what the work left to the background is done; its CPU counts, its time does not.
        us: Microseconds a call on the calling thread, a number each round.
        cpu_us: Microseconds of CPU of the whole process a call, a number each round.
    """

    name: str
    work: Callable[[], object]
    calls: int
    settle: Callable[[], object] = lambda: None
    us: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)

    def measure(self) -> None:
        """Run one round."""
        cpu, begun = time.process_time(), time.perf_counter()
        for _ in range(self.calls):
            self.work()
        self.us.append((time.perf_counter() - begun) * 1e6 / self.calls)
        self.settle()
        self.cpu_us.append((time.process_time() - cpu) * 1e6 / self.calls)


def run(cases: list[Case]) -> Mapping[str, Case]:
    """Measure the cases in turn, after a round that does not count."""
    for number in range(ROUNDS + 1):
        for case in cases:
            case.measure()
        if number == 0:
            for case in cases:
                case.us.clear()
                case.cpu_us.clear()
    return {case.name: case for case in cases}


def show(cases: Mapping[str, Case]) -> None:
    """Print a row a case."""
    print(f"{'':<46} {'us a call':>10} {'(spread)':>16} {'CPU us a call':>14} {'(spread)':>16}")
    for case in cases.values():
        print(f"{case.name:<46} {_numbers(case.us)} {_numbers(case.cpu_us):>31}")


def ratio(ours: list[float], theirs: list[float]) -> float:
    """Return the median of the ratios, round by round."""
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))


def _numbers(values: list[float]) -> str:
    spread = f"({min(values):.1f}..{max(values):.1f})"
    return f"{statistics.median(values):10.2f} {spread:>16}"
