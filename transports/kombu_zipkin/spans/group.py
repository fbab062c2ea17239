"""The relays' side of the span stream: read, claim, renew, settle, leave."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import redis

from kombu_zipkin.spans.client import connect, translated
from kombu_zipkin.spans.keys import DEFAULT_STREAM, GROUP, StreamKeys
from kombu_zipkin.spans.received import DeadRecord, Received, Settlement, parse_entries
from kombu_zipkin.spans.scripts import Scripts

DEFAULT_DEAD_BUDGET_BYTES: Final = 64 * 1024 * 1024

_BEHIND_ALL: Final = f"{2**64 - 2}-0"
_READ_TIMEOUT: Final = 5.0
_IDLE_CONSUMER_MS: Final = 600_000
_SILENT_PRODUCER_MS: Final = 7 * 24 * 3600 * 1000
_FORGET_AT_ONCE: Final = 100


class SpanGroup:
    """One consumer of the group that all relays share. Any thread may use it; `close` when done.

    Args:
        url: The Redis that holds the stream.
        consumer: This consumer's name; unique among the relays that run.
        stream: The stream's name.
        dead_budget_bytes: How much the dead letters may hold; over it the oldest go, counted. None for no limit.
    """

    def __init__(
        self,
        url: str,
        consumer: str,
        *,
        stream: str = DEFAULT_STREAM,
        dead_budget_bytes: int | None = DEFAULT_DEAD_BUDGET_BYTES,
    ) -> None:
        self._keys = StreamKeys(stream)
        self._consumer = consumer
        self._client = connect(url, timeout=_READ_TIMEOUT)
        for command in ("XREADGROUP", "XAUTOCLAIM"):  # redis-py's own shapes cost more than the reading
            self._client.set_response_callback(command, _as_it_comes)
        self._dead_budget = dead_budget_bytes or 0
        self._joined = False
        self._idle_ms = _IDLE_CONSUMER_MS
        self._scripts = Scripts(self._client, self._keys, "settle", "renew", "leave", "sweep", "forget")

    def read(self, count: int, block_ms: int) -> list[Received]:
        """Take up to ``count`` new entries, waiting up to ``block_ms`` (below 5,000) for the first.

        Raises:
            StreamUnavailable: Redis did not answer.
        """
        with translated(f"read {self._keys.stream}"):
            self._join()
            try:
                answer = self._read_group(count, block_ms)
            except redis.ResponseError as error:
                if "NOGROUP" not in str(error):
                    raise
                self._joined = False
                self._join()
                answer = self._read_group(count, block_ms)
        if not answer:
            return []
        (entries,) = answer.values() if isinstance(answer, dict) else (answer[0][1],)  # RESP3, RESP2
        return parse_entries(entries)

    def claim(self, count: int, idle_ms: int) -> list[Received]:
        """Take over up to ``count`` entries that another consumer has not touched for ``idle_ms``.

        Raises:
            StreamUnavailable: Redis did not answer.
        """
        cursor: Any = "0-0"
        with translated(f"claim from {self._keys.stream}"):
            while True:  # each call looks at a part of what is pending
                try:
                    answer: Any = self._client.xautoclaim(
                        self._keys.stream, GROUP, self._consumer, idle_ms, start_id=cursor, count=count
                    )
                except redis.ResponseError as error:
                    if "NOGROUP" not in str(error):
                        raise
                    return []
                cursor, claimed = answer[0], parse_entries(answer[1])
                if len(claimed) < len(answer[1]):
                    self._scripts.run("sweep", [self._keys.stream], [GROUP, self._consumer])
                if claimed or cursor == b"0-0":
                    return claimed

    def renew(self, held: Iterable[Received]) -> set[str]:
        """Say that these entries are still being worked on, so that nobody claims them.

        Returns:
            The ids of those that are not this consumer's any more: another one claimed them, or they are gone.

        Raises:
            StreamUnavailable: Redis did not answer.
        """
        ids = [received.id for received in held]
        if not ids:
            return set()
        with translated(f"renew {len(ids)} entries of {self._keys.stream}"):
            lost = self._scripts.run("renew", [self._keys.stream], [GROUP, self._consumer, *ids])
        return {entry_id.decode() for entry_id in lost}

    def settle(self, settlements: Sequence[Settlement]) -> int:
        """Acknowledge and delete entries, count their spans, and keep their dead letters, in one script.

        Returns:
            How many were still there; one that somebody settled before changes nothing.

        Raises:
            StreamUnavailable: Redis did not answer; all may be settled or none, so settle them again.
        """
        args: list[Any] = [GROUP, self._dead_budget, len(settlements)]
        for settlement in settlements:
            received, dead = settlement.received, settlement.dead
            args += (received.id, settlement.delivered, received.charged_bytes, len(dead))
            for record in dead:
                fields = _lettered(record)
                args += [len(fields), *fields]
        keys = [self._keys.stream, self._keys.totals, self._keys.dead]
        with translated(f"settle {len(settlements)} entries of {self._keys.stream}"):
            return int(self._scripts.run("settle", keys, args))

    def attend(self) -> None:
        """Show that this consumer is there, though it has nothing to do.

        Before Redis 7.2 neither a read nor a claim that comes back empty does. A look at what this consumer holds
        behind the last possible entry comes back empty too, but is answered at once, and counts.

        Raises:
            StreamUnavailable: Redis did not answer.
        """
        with translated(f"show presence at {self._keys.stream}"):
            self._join()
            self._client.xreadgroup(GROUP, self._consumer, {self._keys.stream: _BEHIND_ALL}, count=1)

    def leave(self) -> bool:
        """Take this consumer out of the group, unless it still holds entries.

        Raises:
            StreamUnavailable: Redis did not answer.
        """
        with translated(f"leave {self._keys.stream}"):
            return bool(self._scripts.run("leave", [self._keys.stream], [GROUP, self._consumer]))

    def oldest_ms(self) -> int | None:
        """Return the epoch milliseconds at which the oldest entry of the stream arrived; None for an empty stream.

        Raises:
            StreamUnavailable: Redis did not answer.
        """
        with translated(f"look at {self._keys.stream}"):
            page: Any = self._client.xrange(self._keys.stream, count=1)
        return int(page[0][0].split(b"-")[0]) if page else None

    def tidy(self) -> None:
        """Clear away what dead relays and producers left: consumers with empty hands, producers silent for a week.

        The producers' counts enter the totals.

        Raises:
            StreamUnavailable: Redis did not answer.
        """
        keys = self._keys
        with translated(f"tidy {keys.stream}"):
            for consumer in self._consumers():
                idle = consumer["pending"] == 0 and consumer["idle"] > self._idle_ms
                if idle and consumer["name"].decode() != self._consumer:
                    self._scripts.run("leave", [keys.stream], [GROUP, consumer["name"]])
            forget = [_SILENT_PRODUCER_MS, _FORGET_AT_ONCE, keys.producer("")]
            while self._scripts.run("forget", [keys.totals, keys.producers], forget) == _FORGET_AT_ONCE:
                pass

    def close(self) -> None:
        """Give the connection back."""
        self._client.close()

    def _read_group(self, count: int, block_ms: int) -> Any:
        return self._client.xreadgroup(GROUP, self._consumer, {self._keys.stream: ">"}, count=count, block=block_ms)

    def _consumers(self) -> list[Any]:
        try:
            return list(self._client.xinfo_consumers(self._keys.stream, GROUP))
        except redis.ResponseError as error:
            if "NOGROUP" in str(error) or "no such key" in str(error):
                return []
            raise

    def _join(self) -> None:
        """Make the group, from the very beginning: entries that came before any relay are its work too; and join it."""
        if self._joined:
            return
        try:
            self._client.xgroup_create(self._keys.stream, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):  # there is one
                raise
        self._client.xgroup_createconsumer(self._keys.stream, GROUP, self._consumer)  # who never gets anything is seen
        self._joined = True


def _as_it_comes(answer: Any, **_: Any) -> Any:
    return answer


def _lettered(record: DeadRecord) -> list[bytes | str | int]:
    """Return a dead letter's fields, each name once: the spans, then ours, then what is left of the entry's."""
    named: dict[bytes, bytes | str | int] = {b"spans": record.spans}
    for name, value in zip(record.fields[::2], record.fields[1::2], strict=True):
        named.setdefault(name if isinstance(name, bytes) else str(name).encode(), value)
    return [part for pair in named.items() for part in pair]
