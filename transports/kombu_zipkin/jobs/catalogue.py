"""The tasks that workers have announced, in Redis, so that publishers can check and offer them."""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import orjson

from kombu_zipkin.errors import ConfigurationError, UnknownTask
from kombu_zipkin.jobs.keys import JobKeys
from kombu_zipkin.jobs.parameters import Parameter, Parameters
from kombu_zipkin.jobs.store import Store
from kombu_zipkin.jobs.tasks import Task

_log = logging.getLogger(__name__)

_FRESH_SECONDS: Final = 5.0
_ALIVE_SECONDS: Final = 90.0
_GONE_SECONDS: Final = 3600.0
_KNOWN_SECONDS: Final = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class TaskEntry:
    """One announced task.

    Attributes:
        name: What publishers call it.
        queue: Where its jobs wait.
        doc: Its docstring, empty without one.
        parameters: What a job may give it.
        seen: When a worker last announced it, in epoch seconds.
    """

    name: str
    queue: str
    doc: str
    parameters: Parameters
    seen: float

    @property
    def is_alive(self) -> bool:
        """Whether a worker that runs it gave a sign of life in the last 90 seconds."""
        return time.time() - self.seen < _ALIVE_SECONDS


class Catalogue:
    """Reads and writes the announced tasks. Any thread may use it; what it read is good for five seconds.

    Args:
        store: The Redis that holds them.
        keys: Where.
    """

    def __init__(self, store: Store, keys: JobKeys) -> None:
        self._store = store
        self._keys = keys
        self._entries: Mapping[str, TaskEntry] = {}  # replaced whole, so readers need no lock
        self._read_at = float("-inf")

    def announce(self, tasks: Iterable[Task[..., Any]], worker: str) -> None:
        """Tell publishers of tasks, and that a worker is there.

        Args:
            tasks: What it runs.
            worker: Its name.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        now = time.time()
        entries: dict[Any, Any] = {each.name: _write(each, now) for each in tasks}
        with self._store.using("announce tasks") as redis, redis.pipeline() as pipe:
            pipe.hset(self._keys.tasks, mapping=entries)
            pipe.zadd(self._keys.workers, {worker: now})
            pipe.zremrangebyscore(self._keys.workers, "-inf", now - _GONE_SECONDS)
            pipe.execute()

    def leave(self, worker: str) -> None:
        """Say that a worker is gone.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        with self._store.using("withdraw a worker") as redis:
            redis.zrem(self._keys.workers, worker)

    def workers(self) -> list[str]:
        """Return the names of the workers that gave a sign of life in the last 90 seconds.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        with self._store.using("read the workers") as redis:
            names: Any = redis.zrangebyscore(self._keys.workers, time.time() - _ALIVE_SECONDS, "+inf")
        return [name.decode() for name in names]

    def all(self) -> Mapping[str, TaskEntry]:
        """Return every task by name that a worker has announced within a week.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        with self._store.using("read the announced tasks") as redis:
            raw: Any = redis.hgetall(self._keys.tasks)
        oldest = time.time() - _KNOWN_SECONDS
        entries = [each for name, text in raw.items() if (each := _read(name, text)) is not None and each.seen > oldest]
        self._entries = {entry.name: entry for entry in sorted(entries, key=lambda entry: entry.name)}
        self._read_at = time.monotonic()
        return self._entries

    def waiting(self) -> Mapping[str, int]:
        """Return how many jobs wait in the queue of each announced task.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        queues = sorted({entry.queue for entry in self.all().values()})
        with self._store.using("count waiting jobs") as redis:
            lengths: list[Any] = [redis.llen(self._keys.queue(queue)) for queue in queues]
        return dict(zip(queues, lengths, strict=True))

    def find(self, name: str) -> TaskEntry:
        """Return one announced task.

        Raises:
            UnknownTask: No worker has announced it.
            BrokerUnavailable: Redis did not answer.
        """
        fresh = time.monotonic() - self._read_at < _FRESH_SECONDS
        entry = self._entries.get(name) if fresh else None
        entry = entry or self.all().get(name)
        if entry is None:
            known = ", ".join(self._entries) or "none yet; start a worker: kombu-zipkin worker your.module"
            raise UnknownTask(f"task {name!r:.80}: no worker has announced it; known tasks: {known}")
        return entry


@contextmanager
def read_catalogue(url: str, namespace: str) -> Iterator[Catalogue]:
    """Lend the catalogue of a system's Redis, to look at.

    Raises:
        ConfigurationError: The URL is not one.
    """
    store = Store(url, timeout=5.0)
    try:
        yield Catalogue(store, JobKeys(namespace))
    finally:
        store.close()


def _write(task: Task[..., Any], now: float) -> bytes:
    parameters = [
        {"name": each.name, "schema": each.schema, "required": each.required, "default": each.default}
        for each in task.parameters.all
    ]
    return orjson.dumps({"queue": task.queue, "doc": task.doc, "parameters": parameters, "seen": now})


def _read(raw_name: bytes, text: bytes) -> TaskEntry | None:
    """Read one entry; None for one of another version, or nobody's: it must not hide the others."""
    name = raw_name.decode("utf-8", "replace")
    try:
        fields = orjson.loads(text)
        parameters = [Parameter(p["name"], p["schema"], p["required"], p["default"]) for p in fields["parameters"]]
        seen = float(fields.get("seen", time.time()))
        return TaskEntry(name, fields["queue"], fields["doc"], Parameters(name, parameters), seen)
    except (ValueError, KeyError, TypeError, ConfigurationError) as error:
        _log.warning("announced task %s cannot be read: %s; it is left out", name, error)
        return None
