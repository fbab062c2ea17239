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


@dataclass(frozen=True, slots=True)
class TaskEntry:
    """One announced task.

    Attributes:
        name: What publishers call it.
        queue: Where its jobs wait.
        doc: Its docstring, empty without one.
        parameters: What a job may give it.
    """

    name: str
    queue: str
    doc: str
    parameters: Parameters


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

    def announce(self, tasks: Iterable[Task[..., Any]]) -> None:
        """Tell publishers of tasks.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        entries: dict[Any, Any] = {each.name: _write(each) for each in tasks}
        with self._store.using("announce tasks") as redis:
            redis.hset(self._keys.tasks, mapping=entries)

    def all(self) -> Mapping[str, TaskEntry]:
        """Return every announced task by name.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        with self._store.using("read the announced tasks") as redis:
            raw: Any = redis.hgetall(self._keys.tasks)
        entries = [entry for name, text in raw.items() if (entry := _read(name, text)) is not None]
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


def _write(task: Task[..., Any]) -> bytes:
    parameters = [
        {"name": each.name, "schema": each.schema, "required": each.required, "default": each.default}
        for each in task.parameters.all
    ]
    return orjson.dumps({"queue": task.queue, "doc": task.doc, "parameters": parameters})


def _read(raw_name: bytes, text: bytes) -> TaskEntry | None:
    """Read one entry; None for one of another version, or nobody's: it must not hide the others."""
    name = raw_name.decode("utf-8", "replace")
    try:
        fields = orjson.loads(text)
        parameters = [Parameter(p["name"], p["schema"], p["required"], p["default"]) for p in fields["parameters"]]
        return TaskEntry(name, fields["queue"], fields["doc"], Parameters(name, parameters))
    except (ValueError, KeyError, TypeError, ConfigurationError) as error:
        _log.warning("announced task %s cannot be read: %s; it is left out", name, error)
        return None
