"""A real Zipkin."""

import json
import os
import time
import urllib.request
from collections.abc import Mapping

from kombu_zipkin.zipkin import TraceTree, ZipkinClient
from stack.java import find_java
from stack.programs import zipkin_is_up
from stack.settings import StackSettings
from stack.zipkin import find_jar, server_argv, server_env
from tests.servers.process import Process
from tests.servers.waiting import free_port, wait_until


class ZipkinServer:
    """Zipkin 3.6.1 with storage in memory; may be stopped and started again on the same port, then empty.

    Args:
        env: Further settings of the server; they win.
        heap: The most memory that it may take for objects.
    """

    def __init__(self, env: Mapping[str, str] | None = None, *, heap: str = "512m") -> None:
        self.port = free_port()
        settings = StackSettings()
        jar = find_jar(settings.stack_cache, os.environ.get("STACK_MAVEN_URL"), lambda fetched, total: None)
        usual = server_argv(find_java(), jar, self.port)
        self._argv = [f"-Xmx{heap}" if part.startswith("-Xmx") else part for part in usual]
        self._env = {**server_env(), **(env or {})}
        self._process: Process | None = None
        self.start()
        self.api = ZipkinClient(self.url)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def process(self) -> Process:
        """Its process."""
        if self._process is None:
            raise AssertionError("the server is stopped")
        return self._process

    def start(self) -> None:
        """Start it, and wait until it is up."""
        self._process = Process(self._argv, self._env)
        wait_until(lambda: zipkin_is_up(self.url), "Zipkin to be up", seconds=90)

    def stop(self) -> None:
        """Stop it; what it stored is gone."""
        self.process.stop()
        self.process.close()
        self._process = None

    def wait_for_trace(self, trace_id: str, spans: int, *, seconds: float = 20.0) -> TraceTree:
        """Return a trace once it has at least so many spans."""

        def found() -> TraceTree | None:
            known = self.api.trace(trace_id) or []
            return TraceTree.of(known) if len(known) >= spans else None

        return wait_until(found, f"{spans} spans of trace {trace_id} in Zipkin", seconds=seconds)

    def edges(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Return calls and errors by the two services of each edge."""
        edges = self.api.dependencies(end_ms=int((time.time() + 3600) * 1000))
        return {(edge.parent, edge.child): (edge.calls, edge.errors) for edge in edges}

    def posts(self) -> int:
        """Return how many POSTs of spans it has answered, good and bad."""
        return self.collected("messages")

    def collected(self, what: str) -> int:
        """Return one of its own counts of what came over HTTP: messages, spans, bytes, spans_dropped."""
        with urllib.request.urlopen(f"{self.url}/metrics") as page:
            return int(json.load(page)[f"counter.zipkin_collector.{what}.http"])

    def close(self) -> None:
        """End it."""
        self.api.close()
        if self._process is not None:
            self._process.close()
            self._process = None
