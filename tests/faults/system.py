"""A whole spans' way of real processes, and what may be done to it."""

import contextlib
import os
import random
import signal
import sys
import threading
from pathlib import Path

import redis

from tests.faults.app import Tally, make_file, read_tally
from tests.faults.proxy import Proxy
from tests.servers import Process, RedisServer, ZipkinServer, wait_until
from tests.servers.programs import request
from tests.servers.waiting import free_port

_RELAY = (sys.executable, "-c", "from kombu_zipkin.cli import main; main()", "relay")


class System:
    """Apps, relays, a Redis and a Zipkin behind a proxy. Counts the kills.

    Args:
        folder: Of its data.
        zipkin: A Zipkin with room for all spans.
        run: A number that is in all trace ids.
        pause: Seconds between two traces of an app.
        slots: How many processes there may be in all.
        aof: How Redis writes its append-only file: ``always``, ``everysec``.
    """

    def __init__(
        self, folder: Path, zipkin: ZipkinServer, run: int, *, pause: float, slots: int = 4000, aof: str = "always"
    ) -> None:
        self.run, self.zipkin = run, zipkin
        self.file = folder / f"tallies-{run}"
        make_file(self.file, slots)
        self.redis = RedisServer(folder, options=("--appendfsync", aof))
        self.proxy = Proxy(zipkin.port)
        self.kills = {"app": 0, "relay": 0, "redis": 0}
        self.slots = 0
        self._pause = pause
        self._apps: list[tuple[int, Process]] = []
        self._relays: list[tuple[int, Process]] = []
        self.faults: dict[str, int] = {}

    def start_app(self) -> None:
        """Start an app, which forks once: two slots."""
        argv = (sys.executable, "-m", "tests.faults.app", self.redis.url, str(self.file))
        process = Process([*argv, str(self.slots), str(self.run), str(self._pause)])
        self._apps.append((self.slots, process))
        self.slots += 2

    def start_relay(self) -> None:
        """Start a relay; it need not be ready."""
        port = free_port()
        env = {
            "REDIS_URL": self.redis.url,
            "ZIPKIN_URL": self.proxy.url,
            "RELAY_PORT": str(port),
            "RELAY_CLAIM_AFTER": "2",
            "RELAY_POST_TIMEOUT": "5",
            "LOG_LEVEL": "WARNING",
        }
        self._relays.append((port, Process(_RELAY, env)))

    def kill_app(self, rng: random.Random) -> None:
        """Kill an app and its child, and start another."""
        _, process = self._apps.pop(rng.randrange(len(self._apps)))
        os.kill(process.pid, signal.SIGSTOP)  # or it may fork meanwhile
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for pid in [*map(int, children), process.pid]:
            os.kill(pid, signal.SIGKILL)
            self.kills["app"] += 1
        process.close()
        self.start_app()

    def kill_relay(self, rng: random.Random) -> None:
        """Kill a relay, and start another."""
        self._relays.pop(rng.randrange(len(self._relays)))[1].close()
        self.kills["relay"] += 1
        self.start_relay()

    def stop_relay(self, rng: random.Random) -> None:
        """Let a relay leave in good order, and start another."""
        self._leave(*self._relays.pop(rng.randrange(len(self._relays))))
        self.start_relay()

    def kill_redis(self, rng: random.Random) -> None:
        """Kill Redis, and start it again on its data."""
        self.redis.kill()
        threading.Event().wait(rng.random() / 2)
        self.redis.start()
        self.kills["redis"] += 1

    def freeze(self, rng: random.Random) -> None:
        """Stop one of the processes for a while."""
        pid = rng.choice(
            [self._relays[0][1].pid, self._apps[0][1].pid, self.redis.process.pid, self.zipkin.process.pid]
        )
        os.kill(pid, signal.SIGSTOP)
        threading.Event().wait(rng.uniform(0.1, 3.0))
        os.kill(pid, signal.SIGCONT)

    def fill_redis(self, rng: random.Random) -> None:
        """Leave Redis without memory for a while."""
        with self.redis.client() as client:
            client.config_set("maxmemory", 1)
            threading.Event().wait(rng.uniform(0.1, 1.0))
            client.config_set("maxmemory", 0)

    def trouble(self, mode: str, rng: random.Random) -> None:
        """Let requests to Zipkin meet with something for a while."""
        self.proxy.mode = mode
        threading.Event().wait(rng.uniform(0.2, 1.0))
        self.proxy.mode = "pass"

    def _leave(self, port: int, relay: Process) -> None:
        """Send SIGTERM to a relay, once it minds signals; it ends in good order."""
        wait_until(lambda: request(f"http://127.0.0.1:{port}/health")[0], "the relay to have begun", seconds=30)
        assert relay.stop(20) == 0, relay.output
        relay.close()

    def tally(self, slot: int) -> Tally:
        """Return what is known from outside of the process in a slot."""
        return read_tally(self.file, slot)

    def finish(self) -> None:
        """End the apps in good order, let everything drain, and end the relays."""
        self.proxy.mode = "pass"
        for slot, process in self._apps:
            for each in (slot, slot + 1):
                wait_until(lambda each=each: self.tally(each).pid, "the app to have begun", seconds=30)  # type: ignore[misc]
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.tally(slot + 1).pid, signal.SIGTERM)
            assert process.stop(40) == 0, process.output
            process.close()
        self._apps.clear()
        with redis.Redis.from_url(self.redis.url) as client:
            wait_until(lambda: client.xlen("{zipkin-spans}:stream") == 0, "the stream to be empty", seconds=120)
        for port, relay in self._relays:
            self._leave(port, relay)
        self._relays.clear()

    def close(self) -> None:
        """End everything."""
        for process in [*(each for _, each in self._apps), *(each for _, each in self._relays)]:
            process.close()
        self.proxy.close()
        self.redis.close()


def roomy_zipkin() -> ZipkinServer:
    """Start a Zipkin that holds millions of spans."""
    return ZipkinServer(env={"MEM_MAX_SPANS": "3000000"}, heap="3g")
