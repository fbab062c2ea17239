"""Programs that end: started again, until it is clear that they cannot run."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from stack.errors import StackError
from stack.java import find_java
from stack.programs import zipkin_program
from stack.running import Program
from stack.settings import StackSettings
from stack.supervise import Supervisor
from stack.zipkin import find_jar
from tests.servers import wait_until
from tests.servers.waiting import free_port


@pytest.fixture
def said() -> list[str]:
    """What the supervisor has said."""
    return []


@pytest.fixture
def supervisor(tmp_path: Path, said: list[str]) -> Iterator[Supervisor]:
    """One with nothing to run yet."""
    with (tmp_path / "output").open("w") as output:
        supervisor = Supervisor(Console(file=output), said.append, tmp_path)
        yield supervisor
        supervisor.close()
        wait_until(lambda: not reading(), "the programs' output to end")


def reading() -> list[str]:
    """Return the threads that still read the output of some program."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("output-")]


def program(folder: Path, script: str, *, with_log: bool = False) -> Program:
    """Return a program that appends a line to ``starts`` and runs a script; ready once it has begun."""
    starts, log = folder / "starts", folder / "some.log"
    text = f"open({str(starts)!r}, 'a').write('begun\\n')\n{script}"
    return Program("some", [sys.executable, "-c", text], starts.exists, wave=0, log=log if with_log else None)


def tended(supervisor: Supervisor, until: Callable[[], bool]) -> Callable[[], bool]:
    """Return a predicate that tends the programs first."""

    def tend() -> bool:
        supervisor.tend()
        return until()

    return tend


def test_one_that_ends_is_started_again_with_the_same_log(
    supervisor: Supervisor, said: list[str], tmp_path: Path
) -> None:
    """It is said how it ended, and when it is ready; the log keeps the last words of the one before."""
    starts = tmp_path / "starts"
    script = f"""
import threading
print("a word", flush=True)
if open({str(starts)!r}).read().count("begun") == 2:
    threading.Event().wait(60)
raise SystemExit(3)
"""
    supervisor.start(program(tmp_path, script, with_log=True))
    wait_until(tended(supervisor, lambda: "some is ready again" in said), "the second start")
    assert said == ["some ended with exit code 3; starting it again", "some is ready again"]
    wait_until(lambda: (tmp_path / "some.log").read_text() == "a word\na word\n", "both in the log")


def test_one_that_cannot_run_is_given_up_with_a_sentence(
    supervisor: Supervisor, said: list[str], tmp_path: Path
) -> None:
    """After five ends within a minute the sixth is the last; its last words are shown."""
    supervisor.start(program(tmp_path, "raise SystemExit('no such port')", with_log=True))
    with pytest.raises(
        StackError, match=r"some ended with exit code 1, 6 times within a minute; the end of .*\n(.*\n)*no such port"
    ):
        wait_until(tended(supervisor, lambda: False), "the end")
    assert (tmp_path / "starts").read_text() == 6 * "begun\n"
    assert said.count("some ended with exit code 1; starting it again") == 5
    assert not (tmp_path / "some.pid").exists()


def test_it_is_said_that_zipkin_forgets_its_traces(supervisor: Supervisor, said: list[str], tmp_path: Path) -> None:
    """It keeps them in memory here; everything else outlives a kill."""
    settings = StackSettings()
    jar = find_jar(settings.stack_cache, settings.stack_maven_url, lambda fetched, total: None)
    supervisor.start(zipkin_program(find_java(), jar, free_port(), tmp_path, "http://localhost:5000"))
    os.kill(int((tmp_path / "zipkin.pid").read_text()), signal.SIGKILL)
    wait_until(tended(supervisor, lambda: bool(said)), "what is said")
    assert said == ["zipkin was killed by signal 9; starting it again: its traces were in memory and are gone"]


def test_none_may_end_while_they_are_started(supervisor: Supervisor, said: list[str], tmp_path: Path) -> None:
    """That is a set-up that does not work, not an accident."""
    never = program(tmp_path, "raise SystemExit(4)")
    supervisor.start(never)
    with pytest.raises(StackError, match="some ended with exit code 4; its last lines are above"):
        wait_until(lambda: supervisor.check(), "the end")
    assert said == []
