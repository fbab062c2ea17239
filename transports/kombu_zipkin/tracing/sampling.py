"""Decide once, at the root of a trace, whether it is reported."""

from dataclasses import dataclass
from typing import Final, Protocol

from kombu_zipkin.errors import ConfigurationError


class Sampler(Protocol):
    """Decides about a trace that nobody has decided about yet."""

    def is_sampled(self, trace_id: str, name: str) -> bool:
        """Decide from the trace id (16 or 32 lower-hex characters) and the name of the span that begins here."""


@dataclass(frozen=True, slots=True)
class TraceIdSampler:
    """Keeps a share of the traces, chosen by trace id: every process that asks gets the same answer.

    Args:
        rate: 0.0 (none) to 1.0 (all).

    Source: openzipkin/zipkin, CollectorSampler and brave, BoundarySampler: the low 64 bits as a signed number, its
    magnitude against ``rate * 2^63``.

    Raises:
        ConfigurationError: The rate is not between 0 and 1.
    """

    rate: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.rate <= 1.0:
            raise ConfigurationError(f"sample rate: expected 0.0..1.0, got {self.rate!r}")

    def is_sampled(self, trace_id: str, name: str) -> bool:
        """Decide by the trace id alone."""
        low = int(trace_id[-16:], 16)
        magnitude = min(low, (1 << 64) - low)
        return self.rate > 0.0 and magnitude <= self.rate * (1 << 63)


ALWAYS: Final[Sampler] = TraceIdSampler(1.0)
NEVER: Final[Sampler] = TraceIdSampler(0.0)
