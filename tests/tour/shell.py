"""A shell that is typed into."""

import os
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path

from tests.servers import wait_until
from tests.servers.process import ROOT


class Shell:
    """One bash, in the root of the checkout; variables and background jobs last from one command to the next.

    Args:
        env: Added to this process's environment.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self._output = tempfile.NamedTemporaryFile(prefix="kombu-zipkin-test-", suffix=".log")  # noqa: SIM115 - see close
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            env={**os.environ, **env},
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, command: str, *, seconds: float = 60.0) -> tuple[int, str]:
        """Type a command, and wait for its end; returns its exit code and what was printed meanwhile.

        Raises:
            AssertionError: It has not ended.
        """
        mark, begun = uuid.uuid4().hex, len(self._printed())
        if self._process.stdin is None:
            raise AssertionError("a shell without input")
        self._process.stdin.write(f"{{ {command}\n}} </dev/null\nprintf '\\n%s %d\\n' {mark} $?\n")
        self._process.stdin.flush()
        wait_until(lambda: mark in self._printed(), f"the end of: {command}", seconds=seconds)
        printed, code = self._printed()[begun:].split(f"\n{mark} ")
        return int(code), printed

    def close(self) -> None:
        """End it with whatever runs in it."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()
        self._output.close()

    def _printed(self) -> str:
        return Path(self._output.name).read_text(errors="replace")
