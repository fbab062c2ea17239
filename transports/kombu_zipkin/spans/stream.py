"""The producers' side of the span stream: append a batch exactly once."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, get_args

from kombu_zipkin.errors import ConfigurationError, StreamUnavailable
from kombu_zipkin.spans.client import connect, translated
from kombu_zipkin.spans.entry import Entry
from kombu_zipkin.spans.keys import DEFAULT_STREAM, GROUP, StreamKeys
from kombu_zipkin.spans.scripts import Scripts

DEFAULT_BUDGET_BYTES: Final = 256 * 1024 * 1024

BudgetPolicy = Literal["refuse_newest", "drop_oldest"]
"""What to do over the byte budget: refuse the new batch, or first drop the oldest that no relay has read."""


class Appended(StrEnum):
    """What became of a batch."""

    APPENDED = "appended"
    REPEATED = "repeated"
    FULL = "full"
    REPORTED = "reported"


@dataclass(frozen=True, slots=True)
class ProducerReport:
    """One producer's own counts, in spans, since it started.

    Attributes:
        created: Handed over to the transport.
        acknowledged: In batches that Redis has acknowledged.
        dropped: Dropped, by cause.
    """

    created: int
    acknowledged: int
    dropped: Mapping[str, int]


class SpanStream:
    """Appends batches. Used by one thread, which may block up to ``timeout`` a call; `close` when done.

    Args:
        url: The Redis that holds the stream.
        stream: The stream's name.
        budget_bytes: How much the stream may hold; None for no limit.
        budget_policy: What to do over the budget. ``drop_oldest`` refuses too when relays have read all that is there.
        timeout: Seconds for one append.

    Raises:
        ConfigurationError: The URL is not one, or there is no such policy.
    """

    def __init__(
        self,
        url: str,
        *,
        stream: str = DEFAULT_STREAM,
        budget_bytes: int | None = DEFAULT_BUDGET_BYTES,
        budget_policy: BudgetPolicy = "refuse_newest",
        timeout: float = 5.0,
    ) -> None:
        if budget_policy not in get_args(BudgetPolicy):
            raise ConfigurationError(f"budget_policy: expected {get_args(BudgetPolicy)}, got {budget_policy!r}")
        self._keys = StreamKeys(stream)
        self._budget = [budget_bytes or 0, budget_policy, GROUP]
        self._client = connect(url, timeout=timeout)
        self._scripts = Scripts(self._client, self._keys, "append")

    def append(self, entry: Entry, report: ProducerReport) -> Appended:
        """Append one batch and report the producer's counts with it.

        A sequence that is in already changes nothing, so a batch whose fate is unknown may be sent again as it is.

        Raises:
            StreamUnavailable: Redis did not answer, or refused to write; the batch may be in or not.
        """
        counted = [entry.sequence, entry.spans, entry.charged_bytes]
        return self._call(entry.producer, counted, report, entry.fields())

    def report(self, producer: str, report: ProducerReport) -> None:
        """Write a producer's counts without a batch.

        Raises:
            StreamUnavailable: Redis did not answer, or refused to write.
        """
        self._call(producer, [0, 0, 0], report, [])

    def close(self) -> None:
        """Give the connection back; the stream may be used again afterwards."""
        self._client.close()

    def _call(
        self, producer: str, counted: list[int], report: ProducerReport, fields: list[bytes | str | int]
    ) -> Appended:
        keys = self._keys
        causes = [part for cause in report.dropped.items() for part in cause]
        told = [report.acknowledged, report.created, len(report.dropped), *causes]
        named = [keys.stream, keys.totals, keys.producer(producer), keys.producers]
        with translated(f"append {counted[1]} spans to {keys.stream}"):
            answer = self._scripts.run("append", named, [producer, *counted, *self._budget, *told, *fields])
        if not isinstance(answer, bytes):
            raise StreamUnavailable(f"append to {keys.stream}: expected a word, got {answer!r}")
        return Appended(answer.decode())
