"""The producers' side of the span stream: append a batch exactly once."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from kombu_zipkin.errors import StreamUnavailable
from kombu_zipkin.spans.client import connect, script, translated
from kombu_zipkin.spans.entry import Entry
from kombu_zipkin.spans.keys import DEFAULT_STREAM, StreamKeys

DEFAULT_BUDGET_BYTES: Final = 256 * 1024 * 1024


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
        budget_bytes: Refuse batches while the stream holds more; None for no limit.
        timeout: Seconds for one append.
    """

    def __init__(
        self,
        url: str,
        *,
        stream: str = DEFAULT_STREAM,
        budget_bytes: int | None = DEFAULT_BUDGET_BYTES,
        timeout: float = 5.0,
    ) -> None:
        self._keys = StreamKeys(stream)
        self._budget = budget_bytes or 0
        self._client = connect(url, timeout=timeout)
        self._append = self._client.register_script(script("append"))

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
        args: list[Any] = [producer, *counted, self._budget, report.acknowledged, report.created, len(report.dropped)]
        with translated(f"append {counted[1]} spans to {keys.stream}"):
            answer = self._append(
                keys=[keys.stream, keys.totals, keys.producer(producer), keys.producers], args=[*args, *causes, *fields]
            )
        if not isinstance(answer, bytes):
            raise StreamUnavailable(f"append to {keys.stream}: expected a word, got {answer!r}")
        return Appended(answer.decode())
