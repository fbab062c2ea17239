"""The trace context: what one span tells the next about the trace both belong to."""

import os
import random
import time
from typing import NamedTuple

_random = random.Random()  # noqa: S311 - trace ids are unique, not secret; a private one, so random.seed() elsewhere cannot repeat them
os.register_at_fork(after_in_child=_random.seed)


class TraceContext(NamedTuple):
    """Ids and sampling state as they travel between processes; immutable.

    Attributes:
        trace_id: 16 or 32 lower-hex characters; None for a lone sampling state, which carries no ids.
        span_id: 16 lower-hex characters; None exactly when ``trace_id`` is.
        parent_id: 16 lower-hex characters; None at the root and where the sender left it out.
        sampled: True to report the trace, False not to, None when nobody has decided yet.
        debug: True to report the trace whatever any sampler says; implies ``sampled``.
    """

    trace_id: str | None
    span_id: str | None
    parent_id: str | None = None
    sampled: bool | None = None
    debug: bool = False

    def decided(self, sampled: bool) -> "TraceContext":
        """Return this context with a sampling decision."""
        return self._replace(sampled=sampled)


def new_trace_id() -> str:
    """Make a 128-bit trace id: epoch seconds in the top 32 bits, the rest random.

    Source: openzipkin/b3-propagation and Amazon X-Ray, whose ids begin with the time.
    """
    return f"{int(time.time()) & 0xFFFFFFFF:08x}{_random.randbytes(12).hex()}"


def new_span_id() -> str:
    """Make a 64-bit span id that is not all zeros."""
    return f"{_random.getrandbits(64) or 1:016x}"
