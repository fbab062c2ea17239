"""A program under test, as a process of its own."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Process:
    """Starts at once; `stop` or `kill` ends it. Its output goes to a file.

    Args:
        argv: The program and its arguments.
        env: Added to this process's environment.
        cwd: Where it runs; None for the root of the checkout.
    """

    def __init__(self, argv: Sequence[str], env: Mapping[str, str] | None = None, cwd: Path | None = None) -> None:
        self._log = tempfile.NamedTemporaryFile(prefix="kombu-zipkin-test-", suffix=".log")  # noqa: SIM115 - see close
        self._process = subprocess.Popen(
            list(argv),
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
            cwd=cwd or ROOT,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return Path(self._log.name).read_text(errors="replace")

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def wait(self, seconds: float) -> int:
        """Wait for its end; returns the exit code."""
        return self._process.wait(seconds)

    def stop(self, seconds: float = 10.0) -> int:
        """Ask it to end, and wait; returns the exit code.

        Raises:
            AssertionError: It did not end.
        """
        if self.is_running:
            self.signal(signal.SIGTERM)
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise AssertionError(f"process {self.pid} ignored SIGTERM for {seconds:g} s:\n{self.output}") from error

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End it if it runs, and remove its output."""
        if self.is_running:
            self.kill()
        self._log.close()
