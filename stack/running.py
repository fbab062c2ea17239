"""One program of the stack as a process, and the next process when that one has ended."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

_LAST_LINES: Final = 8
_WINDOW_SECONDS: Final = 60.0


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
        memory: What became of its data, said when it is started again.
    """

    name: str
    argv: Sequence[str]
    is_ready: Callable[[], bool]
    wave: int
    env: Mapping[str, str] = field(default_factory=dict)
    log: Path | None = None
    colour: str = "cyan"
    memory: str = ""

    def last_lines(self) -> str:
        """Return the end of its output, or where that is, as the end of a sentence."""
        if self.log is None:
            return "; its last lines are above"
        lines = self.log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
        return "; the end of " + f"{self.log}:\n" + "\n".join(lines)


class RunningProgram:
    """A program that runs in a session of its own; its process id stands in a file as long.

    Used by the main thread alone: on Linux the kernel ends a program when the thread that started it ends.

    Args:
        program: Which one; it is started at once.
        folder: Where ``<name>.pid`` is written.
        show: Told of each line of output, unless the program has a log; called by a thread.
    """

    def __init__(self, program: Program, folder: Path, show: Callable[[Program, str], None]) -> None:
        self.program = program
        self._pid_file = folder / f"{program.name}.pid"
        self._show = show
        self._process: subprocess.Popen[str] | None = None
        self._ends: list[float] = []
        self._start("w")

    @property
    def is_running(self) -> bool:
        """Whether it had not ended when it was last asked for its end."""
        return self._process is not None

    @property
    def silent_seconds(self) -> float:
        """How long ago it last ended."""
        return time.monotonic() - self._ends[-1]

    @property
    def ends(self) -> int:
        """How often it ended within a minute before its last end."""
        return len(self._ends)

    def ended(self) -> int | None:
        """Return the exit code, once, when it has ended; below 0 the signal that killed it."""
        code = None if self._process is None else self._process.poll()
        if code is not None:
            self._gone()
        return code

    def start_again(self) -> None:
        """Start its next process, on the same port and with the same log."""
        self._start("a")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self._process is not None:
            self._process.send_signal(number)

    def end(self, seconds: float) -> None:
        """Wait for its end so long; then kill it."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._gone()

    def _start(self, mode: str) -> None:
        log = self.program.log
        with nullcontext(subprocess.PIPE) if log is None else log.open(mode) as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "stack.child", *self.program.argv],
                env=dict(self.program.env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,  # Ctrl-C is for the stack; it stops the programs in order
            )
        self._process = process
        self._note(process.pid)
        if process.stdout is not None:
            name = f"output-{self.program.name}"
            threading.Thread(target=self._read, args=(process.stdout,), name=name, daemon=True).start()

    def _note(self, pid: int) -> None:
        """Write the process id in one step: a shell must never read an empty file."""
        written = self._pid_file.with_suffix(".pid.new")
        written.write_text(f"{pid}\n")
        written.replace(self._pid_file)

    def _gone(self) -> None:
        now = time.monotonic()
        self._process = None
        self._ends = [end for end in self._ends if now - end < _WINDOW_SECONDS] + [now]
        self._pid_file.unlink(missing_ok=True)

    def _read(self, output: IO[str]) -> None:
        with output:
            for line in output:
                self._show(self.program, line)
