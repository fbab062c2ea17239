"""Start programs one after the other, start again what ends, stop them in order.

honcho, the usual choice, starts all at once and ends all at once; here the web app and the worker must end before the
relay, and the relay before Redis, or the last spans of a session are lost.
"""

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape

from stack.errors import StackError
from stack.running import Program, RunningProgram

_POLL_SECONDS: Final = 0.1
_WAVE_SECONDS: Final = 3.5
_PAUSE_SECONDS: Final = 0.5
_MOST_ENDS: Final = 5  # within a minute


class Supervisor:
    """Runs programs as children of this process. Used by the main thread.

    Args:
        console: Where the programs' output goes.
        say: Told when a program has ended, and when it is ready again.
        folder: Where the programs' process ids stand, in ``<name>.pid``; this process's alone.
    """

    def __init__(self, console: Console, say: Callable[[str], None], folder: Path) -> None:
        self._console = console
        self._say = say
        self._folder = folder
        self._running: list[RunningProgram] = []
        self._returning: set[str] = set()
        for left in folder.glob("*.pid"):  # by a stack that was killed: such an id may be somebody else's by now
            left.unlink()

    def start(self, program: Program) -> None:
        """Start a program; it may not be ready yet."""
        self._running.append(RunningProgram(program, self._folder, self._show))

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
                raise StackError(f"{program.name} is not ready after {seconds:g} s{program.last_lines()}")
            stop.wait(_POLL_SECONDS)

    def check(self) -> None:
        """Look whether all still run: while they are started nothing may end.

        Raises:
            StackError: One ended.
        """
        for running in self._running:
            code = running.ended()
            if code is not None:
                raise StackError(f"{running.program.name} ended with {_status(code)}{running.program.last_lines()}")

    def tend(self) -> None:
        """Start again what has ended, after a pause. Called twice a second, once everything was up.

        Raises:
            StackError: One ended for the sixth time within a minute: it cannot run.
        """
        for running in self._running:
            code = running.ended()
            if code is not None:
                self._note_end(running, code)
            elif not running.is_running and running.silent_seconds >= _PAUSE_SECONDS:
                running.start_again()
            elif running.is_running and running.program.name in self._returning and running.program.is_ready():
                self._returning.discard(running.program.name)
                self._say(f"{running.program.name} is ready again")

    def close(self) -> None:
        """Stop all, wave by wave, each program with SIGTERM and 3.5 seconds; then none is left."""
        for running in self._running:
            running.send(signal.SIGCONT)  # one that somebody has paused heeds no SIGTERM, and holds up the others
        for wave in sorted({running.program.wave for running in self._running}):
            ending = [running for running in self._running if running.program.wave == wave]
            for running in ending:
                running.send(signal.SIGTERM)
            until = time.monotonic() + _WAVE_SECONDS
            for running in ending:
                running.end(until - time.monotonic())
        self._running.clear()

    def _note_end(self, running: RunningProgram, code: int) -> None:
        program = running.program
        if running.ends > _MOST_ENDS:
            often = f"{running.ends} times within a minute"
            raise StackError(f"{program.name} ended with {_status(code)}, {often}{program.last_lines()}")
        how = f"was killed by {_status(code)}" if code < 0 else f"ended with {_status(code)}"
        self._returning.add(program.name)
        self._say(f"{program.name} {how}; starting it again" + (f": {program.memory}" if program.memory else ""))

    def _show(self, program: Program, line: str) -> None:
        label = f"[{program.colour}]{program.name:>8}[/]"
        self._console.print(f"{label} │ {escape(line.rstrip())}", highlight=False, soft_wrap=True)


def _status(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
