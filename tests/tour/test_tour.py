"""docs/tour.md, typed as it stands: each command does what is shown below it, and nothing is lost."""

import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from kombu_zipkin.jobs import JobRecords, JobState
from kombu_zipkin.spans import read_ledger
from tests.servers import Process, wait_until
from tests.servers.process import ROOT
from tests.servers.programs import request
from tests.servers.waiting import free_port
from tests.tour.document import INTERRUPT, Step, missing, steps_of, typed_in_prose
from tests.tour.shell import Shell

TOUR = ROOT / "docs" / "tour.md"
PORTS = {
    "5000": "PRODUCER_PORT",
    "5001": "WORKER_PORT",
    "5002": "RELAY_PORT",
    "6390": "STACK_REDIS_PORT",
    "9411": "STACK_ZIPKIN_PORT",
}
START = "make demo"


class Tour:
    """Both terminals: the stack in one, a shell in the other, on ports and in a folder of their own.

    Args:
        folder: Where the stack keeps its data.
    """

    def __init__(self, folder: Path) -> None:
        self._ports = {usual: str(free_port()) for usual in PORTS}
        self._folder = folder
        self.redis_url = f"redis://localhost:{self._ports['6390']}"
        self._stack: Process | None = None
        self._read = 0
        self._shell = Shell({**self._addresses(), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"})

    def take(self, step: Step) -> str:
        """Do what a step says; returns what was printed.

        Raises:
            AssertionError: A command failed, or did not print what is shown.
        """
        if step.command == START:
            return self._start(step)
        if not step.command:
            return self._look(step)
        code, printed = self._shell.run(self._here(step.command))
        assert code == 0, f"line {step.line}: {step.command}: exit code {code}\n{printed}"
        lacking = missing([self._here(line) for line in step.shown], printed)
        assert lacking is None, f"line {step.line}: {step.command}: expected {lacking!r} in\n{printed}"
        assert step.shown or not printed.strip(), (
            f"line {step.line}: {step.command} shows nothing, but printed\n{printed}"
        )
        return printed

    @property
    def warnings(self) -> list[str]:
        """What waitress has warned of in the first terminal: a person who looks for faults would take it for one."""
        said = self._stack.output.splitlines() if self._stack is not None else []
        return [line for line in said if "WARNING waitress" in line]

    def is_over(self) -> bool:
        """Whether the stack ended in good order, its programs with it."""
        return self._stack is not None and self._stack.wait(15) == 0 and not list(self._folder.glob("*.pid"))

    def close(self) -> None:
        """End both."""
        self._shell.close()
        if self._stack is not None:
            self._stack.stop(20)  # not killed: a program that a failed tour leaves paused would stay
            self._stack.close()

    def _start(self, step: Step) -> str:
        env = {**{name: self._ports[usual] for usual, name in PORTS.items()}, "STACK_DATA": str(self._folder)}
        env |= {"REDIS_URL": "", "ZIPKIN_URL": ""}  # of its own, whatever a developer has set
        self._stack = Process([sys.executable, "-m", "stack"], {**env, "COLUMNS": "200"})
        return self._look(step)

    def _look(self, step: Step) -> str:
        """Look at the first terminal until it has said what is shown, since it was last looked at."""
        stack, begun = self._stack, self._read
        assert stack is not None, f"line {step.line}: expected {START!r} before this"
        if INTERRUPT in step.shown:
            stack.signal(signal.SIGINT)
        shown = [self._here(line) for line in step.shown if line != INTERRUPT]

        def is_said() -> bool:
            return missing(shown, stack.output[begun:]) is None or not (stack.is_running or INTERRUPT in step.shown)

        wait_until(is_said, f"line {step.line}: {shown} in the first terminal", seconds=60)
        printed = stack.output[begun:]
        assert missing(shown, printed) is None, f"line {step.line}: the first terminal says\n{printed}"
        self._read += len(printed)
        return printed

    def _here(self, text: str) -> str:
        """Put this run's ports and folder where the document names the usual ones."""
        text = re.sub(r"(?<=localhost:)\d+", lambda port: self._ports[port[0]], text)
        return text.replace(".stack/", f"{self._folder}/")

    def _addresses(self) -> Mapping[str, str]:
        return {
            "KOMBU_ZIPKIN_URL": self._here("http://localhost:5000"),
            "ZIPKIN_URL": self._here("http://localhost:9411"),
            "COLUMNS": "120",
        }


@pytest.fixture
def tour(tmp_path: Path) -> Iterator[Tour]:
    """A tour that has not begun."""
    tour = Tour(tmp_path / "stack")
    yield tour
    tour.close()


def test_every_command_of_the_tour_does_what_it_shows_and_nothing_is_lost(tour: Tour) -> None:
    """Posted is succeeded and dead, the books close with nothing on its way, nothing is left running."""
    ids, many = set[str](), 0
    for step in steps_of(TOUR.read_text()):
        if INTERRUPT in step.shown:
            assert_nothing_is_lost(tour, len(ids) + many)
        printed = tour.take(step)
        ids |= set(re.findall(r"^(?:job   | +posted job) (\S+?),? ", printed, re.MULTILINE))
        ids |= {each for line in re.findall(r"^result \[(.*)\]$", printed, re.MULTILINE) for each in line.split(", ")}
        many += sum(map(int, re.findall(r"^posted +(\d+) jobs", printed, re.MULTILINE)))
        for address in re.findall(r"\S+", printed) if step.command.startswith("echo http") else ():
            assert request(address)[0] == 200, address
    assert tour.is_over()
    assert tour.warnings == []


def assert_nothing_is_lost(tour: Tour, posted: int) -> None:
    """Look at the records and the books past every command."""
    records = JobRecords(tour.redis_url)
    counts = {state: number for state, number in records.counts().items() if number}
    records.close()
    assert counts == {JobState.SUCCEEDED: posted - 1, JobState.DEAD_LETTERED: 1}
    ledger = read_ledger(tour.redis_url)
    assert (ledger.waiting, ledger.difference, ledger.dead_letters) == (0, 0, 0)
    assert ledger.totals["delivered"] == ledger.totals["appended"] > 5 * 400
    assert [producer.dropped for producer in ledger.producers if producer.dropped] == []


def test_the_tour_shows_no_command_that_is_not_run() -> None:
    """Not in its text either: a command named there is one of the steps."""
    text = TOUR.read_text()
    commands = [step.command for step in steps_of(text)]
    assert commands.count(START) == 1
    assert len(commands) > 30
    named = [each for each in typed_in_prose(text) if re.match(r"(kombu-zipkin|spans|jobs|kill|make|python) ", each)]
    assert named
    assert [each for each in named if not any(each in command for command in commands)] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```bash\n$ ls\n```", "line 2: expected a console or text block, got 'bash'"),
        ("~~~\n$ ls\n~~~", "line 2: expected a console or text block, got ''"),
        ("Type\n\n    $ ls", "line 3: expected text or a fenced block, got an indented line"),
        ("```console\nls\n```", "line 2: expected a command after '$ ', got 'ls'"),
        ("```console\n$ ls", "line 2: expected an end of the block"),
    ],
)
def test_a_command_in_another_form_is_refused(text: str, said: str) -> None:
    """It would not be run."""
    with pytest.raises(ValueError, match=re.escape(said)):
        steps_of(text)


@pytest.mark.parametrize(
    ("shown", "lacking"),
    [
        (["succeeded  200", "waited     p50 2 ms, p99 24 ms"], None),
        (["posted 200 jobs in 9.99 s, 7/s", "…", "waited … ms"], None),
        (["succeeded  199"], "succeeded  199"),
        (["waited …", "succeeded 200"], "succeeded 200"),
        (["succeeded  200", "succeeded  200"], "succeeded  200"),
    ],
)
def test_what_is_shown_is_compared_with_what_is_printed(shown: list[str], lacking: str | None) -> None:
    """Counts as they are; times, rates and ids differ each time; the order counts."""
    printed = "posted     200 jobs in 1.99 s, 100/s\nsucceeded  200\nwaited     p50 289 ms, p99 605 ms\n"
    assert missing(shown, printed) == lacking
