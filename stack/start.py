"""Start the parts in order, show the way in, keep watch."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from kombu_zipkin.outages import public_address
from kombu_zipkin.zipkin import ZipkinLinks
from stack import java, programs, redis, zipkin
from stack.errors import Missing, StackError
from stack.ports import Ports
from stack.settings import StackSettings
from stack.supervise import Supervisor

_SERVER_SECONDS: Final = 60.0
_PROGRAM_SECONDS: Final = 30.0
_WATCH_SECONDS: Final = 0.5


class Stack:
    """Redis, Zipkin, web app, worker and relay on this machine.

    Args:
        settings: Where, and what is there already.
        console: Told of every step.
    """

    def __init__(self, settings: StackSettings, console: Console) -> None:
        self._settings = settings
        self._console = console
        self._supervisor = Supervisor(console, self._say, settings.stack_data)
        self._ports = Ports(self._say)
        self._without_zipkin: str | None = None
        self._zipkin_url = settings.zipkin_url or ""
        self._web_url = ""

    def start(self, stop: threading.Event) -> None:
        """Start all parts, each when those it needs are ready; ``stop`` ends the waiting.

        Raises:
            StackError: A part that the others need is missing, or one ended.
        """
        settings = self._settings
        redis_url = settings.redis_url or self._start_redis(stop)
        if settings.redis_url is not None and not redis.answers(redis_url):
            raise StackError(f"REDIS_URL: expected a Redis, nothing answers at {public_address(redis_url)}")
        web_port = self._ports.take("web app", settings.producer_port)
        self._web_url = f"http://localhost:{web_port}"
        self._begin_zipkin(stop)
        if stop.is_set():
            return
        env = {
            "REDIS_URL": redis_url,
            "ZIPKIN_URL": self._zipkin_url,
            "WORKER_LEASE_SECONDS": str(settings.worker_lease_seconds),
            "RELAY_CLAIM_AFTER": str(settings.relay_claim_after),
        }
        worker = programs.worker_program(env, self._ports.take("worker", settings.worker_port))
        producer = programs.producer_program(env, web_port)
        for program in (worker, producer):
            self._supervisor.start(program)
        for program in (worker, producer):
            self._supervisor.wait_ready(program, _PROGRAM_SECONDS, stop)
        self._await_zipkin(stop)
        if stop.is_set():
            return
        relay_port = self._ports.take("relay", settings.relay_port)
        relay = programs.relay_program(env, relay_port, without_zipkin=self._without_zipkin is not None)
        self._supervisor.start(relay)
        self._supervisor.wait_ready(relay, _PROGRAM_SECONDS, stop)

    def first_job(self) -> bool:
        """Post a job of the 2017 demo and check its trace; True when it is whole."""
        if self._without_zipkin is not None:
            self._say(self._without_zipkin)
            self._say("everything else runs; the spans wait in Redis until a relay finds a Zipkin")
            return False
        self._say("posting a first job and following its trace")
        command = "from kombu_zipkin.cli import main; main()"
        argv = [sys.executable, "-c", command, "verify", "--url", self._web_url, "--zipkin-url", self._zipkin_url]
        token = os.environ.get("PRODUCER_TOKEN", "")  # if the web app asks for one, it is this
        env = {"KOMBU_ZIPKIN_TOKEN": token, **os.environ}
        checked = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        self._console.print(checked.stdout + checked.stderr, highlight=False, markup=False, soft_wrap=True)
        return checked.returncode == 0

    def show_addresses(self) -> None:
        """Say where to look."""
        self._console.print(f"  web app       {self._web_url}/", highlight=False)
        self._console.print(f"  a demo trace  curl {self._web_url}/demo", highlight=False)
        if self._without_zipkin is None:
            self._console.print(f"  Zipkin        {self._zipkin_url}/zipkin/", highlight=False)
            dependencies = ZipkinLinks(self._zipkin_url).dependencies()
            self._console.print(f"  services      {dependencies}", highlight=False, soft_wrap=True)

    def watch(self, stop: threading.Event) -> None:
        """Keep everything running until ``stop`` is set.

        Raises:
            StackError: A program ends as soon as it is started.
        """
        while not stop.wait(_WATCH_SECONDS):
            self._supervisor.tend()

    def close(self) -> None:
        """Stop everything that this stack started."""
        self._supervisor.close()

    def _start_redis(self, stop: threading.Event) -> str:
        server = redis.find_server()
        port = self._ports.take("redis", self._settings.stack_redis_port)
        self._say(f"starting {server.name} on port {port}")
        program = programs.redis_program(server, port, self._settings.stack_data)
        self._supervisor.start(program)
        self._supervisor.wait_ready(program, _SERVER_SECONDS, stop)
        return f"redis://127.0.0.1:{port}/0"

    def _begin_zipkin(self, stop: threading.Event) -> None:
        """Find or fetch Zipkin and start it; what needs it waits later. Without it, say why and go on."""
        if self._zipkin_url or stop.is_set():
            return
        port = self._ports.take("zipkin", self._settings.stack_zipkin_port)
        self._zipkin_url = f"http://localhost:{port}"
        try:
            program = java.find_java()
            with _DownloadBar(self._console, stop) as told:
                jar = zipkin.find_jar(self._settings.stack_cache, self._settings.stack_maven_url, told)
        except Missing as missing:
            self._without_zipkin = str(missing)
            self._say(self._without_zipkin)
            return
        self._say(f"starting Zipkin {zipkin.VERSION} on port {port}")
        self._zipkin = programs.zipkin_program(program, jar, port, self._settings.stack_data, self._web_url)
        self._supervisor.start(self._zipkin)

    def _await_zipkin(self, stop: threading.Event) -> None:
        if self._settings.zipkin_url is None and self._without_zipkin is None:
            self._supervisor.wait_ready(self._zipkin, _SERVER_SECONDS, stop)
        elif self._settings.zipkin_url is not None and not programs.zipkin_is_up(self._zipkin_url):
            self._without_zipkin = (
                f"ZIPKIN_URL: expected a Zipkin, nothing answers at {public_address(self._zipkin_url)}"
            )

    def _say(self, sentence: str) -> None:
        self._console.print(f"[bold]{'stack':>8}[/] │ {escape(sentence)}", highlight=False, soft_wrap=True)


class _DownloadBar:
    """Shows a progress bar from the first byte on."""

    def __init__(self, console: Console, stop: threading.Event) -> None:
        self._stop = stop
        columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        self._progress = Progress("[bold]   stack[/] │ fetching Zipkin", *columns, console=console)
        self._task: int | None = None

    def __enter__(self) -> Callable[[int, int], None]:
        return self._told

    def __exit__(self, *exc: object) -> None:
        if self._task is not None:
            self._progress.stop()

    def _told(self, fetched: int, total: int) -> None:
        if self._stop.is_set():
            raise Missing("Zipkin is missing: its download was interrupted")
        if self._task is None:
            self._progress.start()
            self._task = self._progress.add_task("", total=total or None)
        self._progress.update(self._progress.task_ids[0], completed=fetched)
