"""Decide once, at the root of a trace, whether it is reported."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from kombu_zipkin.errors import ConfigurationError


class Sampler(Protocol):
    """Decides about a trace that nobody has decided about yet. Any thread may ask; no answer waits."""

    def is_sampled(self, trace_id: str, subject: str, *, begins: bool) -> bool:
        """Decide about one trace.

        Args:
            trace_id: 16 or 32 lower-hex characters.
            subject: What begins here: ``GET /jobs/42``, ``publish charge``, ``process charge``, or the span's name.
            begins: Whether the trace begins here. One that came along undecided may meet several processes, or one
                process several times, and must get the same answer each time: decide it by its id alone.
        """


@dataclass(frozen=True, slots=True)
class TraceIdSampler:
    """Keeps a share of the traces, chosen by trace id: every process that asks gets the same answer.

    Args:
        rate: 0.0 (none) to 1.0 (all).

    Source: openzipkin/zipkin, CollectorSampler: the low 64 bits as a signed number, its magnitude against
    ``rate * 2^63``.

    Raises:
        ConfigurationError: The rate is not between 0 and 1.
    """

    rate: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.rate <= 1.0:
            raise ConfigurationError(f"sample rate: expected 0.0..1.0, got {self.rate!r}")

    def is_sampled(self, trace_id: str, subject: str, *, begins: bool) -> bool:
        """Decide by the trace id alone."""
        if self.rate in (0.0, 1.0):
            return self.rate == 1.0
        low = int(trace_id[-16:], 16)
        return min(low, (1 << 64) - low) <= self.rate * (1 << 63)


ALWAYS: Final[Sampler] = TraceIdSampler(1.0)
NEVER: Final[Sampler] = TraceIdSampler(0.0)


class RateLimitSampler:
    """Keeps up to so many new traces a second, spread over its tenths, so that a burst does not take them all.

    Traces that came along undecided are not counted; ``undecided`` decides about them.

    Args:
        per_second: Most new traces to keep in a second; 0 for none.
        undecided: Decides about traces that began elsewhere.
        clock: Tells the seconds; for tests.

    Source: openzipkin/brave, RateLimitingSampler, which spreads its allowance over deciseconds.

    Raises:
        ConfigurationError: ``per_second`` is negative.
    """

    def __init__(
        self, per_second: int, *, undecided: Sampler = ALWAYS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if per_second < 0:
            raise ConfigurationError(f"traces per second: expected at least 0, got {per_second!r}")
        self._per_second = per_second
        self._undecided = undecided
        self._clock = clock
        self._lock = threading.Lock()  # guards _second and _kept
        self._second = -1
        self._kept = 0

    def is_sampled(self, trace_id: str, subject: str, *, begins: bool) -> bool:
        """Decide by what was kept in this second so far."""
        if not begins:
            return self._undecided.is_sampled(trace_id, subject, begins=begins)
        now = self._clock()
        second = int(now)
        tenths = int((now - second) * 10) + 1
        allowed = -(-self._per_second * tenths // 10)  # of a small allowance the first tenth has one already
        with self._lock:
            if second != self._second:
                self._second, self._kept = second, 0
            if self._kept >= allowed:
                return False
            self._kept += 1
            return True


class RuleSampler:
    """Has a sampler for each subject, the first rule that fits.

    Args:
        rules: Samplers by subject, in order: ``{"GET /search*": TraceIdSampler(0.1), "publish charge": ALWAYS}``.
            One that ends with ``*`` fits whatever begins with it.
        otherwise: Decides where no rule fits.
    """

    def __init__(self, rules: Mapping[str, Sampler], otherwise: Sampler = ALWAYS) -> None:
        self._rules = tuple(rules.items())
        self._otherwise = otherwise

    def is_sampled(self, trace_id: str, subject: str, *, begins: bool) -> bool:
        """Ask the sampler of the first rule that fits."""
        return self._sampler(subject).is_sampled(trace_id, subject, begins=begins)

    def _sampler(self, subject: str) -> Sampler:
        for rule, sampler in self._rules:
            if rule == subject or (rule.endswith("*") and subject.startswith(rule[:-1])):
                return sampler
        return self._otherwise
