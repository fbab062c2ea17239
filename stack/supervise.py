"""Start programs one after the other, watch them, stop them in order.

honcho, the usual choice, starts all at once and ends all at once; here the web app and the worker must end before the
relay, and the relay before Redis, or the last spans of a session are lost.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from rich.console import Console
from rich.markup import escape

from stack.errors import StackError

_POLL_SECONDS: Final = 0.1
_WAVE_SECONDS: Final = 3.5
_LAST_LINES: Final = 8


@dataclass(frozen=True, slots=True)
class Program:
    """One program of the stack.

    Attributes:
        name: As it stands before its lines.
        argv: The program's path and its arguments.
        is_ready: Whether it can do its work.
        wave: When it is stopped: 0 first.
        env: Its environment.
        log: Where its output goes; None shows it here.
        colour: Of its name.
    """

    name: str
    argv: Sequence[str]
    is_ready: Callable[[], bool]
    wave: int
    env: Mapping[str, str] = field(default_factory=dict)
    log: Path | None = None
    colour: str = "cyan"


class Supervisor:
    """Runs programs as children of this process, each in a session of its own. Used by the main thread.

    Args:
        console: Where the programs' output goes.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._running: list[tuple[Program, subprocess.Popen[str]]] = []

    def start(self, program: Program) -> None:
        """Start a program; it may not be ready yet."""
        with nullcontext(subprocess.PIPE) if program.log is None else program.log.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "stack.child", *program.argv],
                env=dict(program.env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,  # Ctrl-C is for the stack; it stops the programs in order
            )
        self._running.append((program, process))
        if process.stdout is not None:
            name = f"output-{program.name}"
            threading.Thread(target=self._show, args=(program, process.stdout), name=name, daemon=True).start()

    def wait_ready(self, program: Program, seconds: float, stop: threading.Event) -> None:
        """Wait until a started program is ready, or ``stop`` is set.

        Raises:
            StackError: A program ended, or this one is not ready after ``seconds``.
        """
        until = time.monotonic() + seconds
        while not stop.is_set():
            self.check()
            if program.is_ready():
                return
            if time.monotonic() > until:
                raise StackError(f"{program.name} is not ready after {seconds:g} s{_last_lines(program)}")
            stop.wait(_POLL_SECONDS)

    def check(self) -> None:
        """Look whether all still run.

        Raises:
            StackError: One ended.
        """
        for program, process in self._running:
            code = process.poll()
            if code is not None:
                raise StackError(f"{program.name} ended with {_status(code)}{_last_lines(program)}")

    def close(self) -> None:
        """Stop all, wave by wave, each program with SIGTERM and 3.5 seconds; then none is left."""
        for wave in sorted({program.wave for program, _ in self._running}):
            processes = [process for program, process in self._running if program.wave == wave]
            for process in processes:
                process.terminate()
            until = time.monotonic() + _WAVE_SECONDS
            for process in processes:
                try:
                    process.wait(max(0.0, until - time.monotonic()))
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        self._running.clear()

    def _show(self, program: Program, output: IO[str]) -> None:
        with output:
            for line in output:
                label = f"[{program.colour}]{program.name:>8}[/]"
                self._console.print(f"{label} │ {escape(line.rstrip())}", highlight=False, soft_wrap=True)


def _status(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _last_lines(program: Program) -> str:
    if program.log is None:
        return "; its last lines are above"
    lines = program.log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
    return "; the end of " + f"{program.log}:\n" + "\n".join(lines)
