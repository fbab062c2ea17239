"""Jobs as a table: all of it where there is room, else what tells them apart, and errors below."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kombu_zipkin.cli.screen import moment, one_line
from kombu_zipkin.jobs import Job, JobState

_WIDE: Final = 120
_ID: Final = 32
_COLOURS: Final = {
    JobState.RUNNING: "cyan",
    JobState.WAITING: "yellow",
    JobState.SUCCEEDED: "green",
    JobState.DEAD_LETTERED: "red",
}


def job_table(jobs: Sequence[Job], width: int) -> RenderableType:
    """Return a row for every job; on less than 120 columns without date and attempts, an error in a line of its own."""
    return _wide(jobs) if width >= _WIDE else Group(*_narrow(jobs))


def state_counts(counts: Mapping[JobState, int]) -> Text:
    """Return how many jobs there are in each state, in one line."""
    said = Text().append("jobs  ", style="dim")
    for state in JobState:
        said.append(f"{state.value} {counts.get(state, 0)}  ", style=_COLOURS.get(state, "default"))
    return said


def _wide(jobs: Sequence[Job]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("job", "task", "state", "attempts", "published", "took ms", "error"):
        right = heading in ("attempts", "took ms")
        table.add_column(heading, overflow="fold", no_wrap=heading != "error", justify="right" if right else "left")
    for job in jobs:
        numbers = (str(job.attempts), moment(job.created_ms), _took(job))
        table.add_row(_text(job.id), _text(job.task), _state(job), *numbers, _error(job))
    return table


def _narrow(jobs: Sequence[Job]) -> Iterator[Text]:
    longest = max([4, *(len(one_line(job.task)) for job in jobs)])
    yield Text(f"{'job':{_ID}}  {'task':{longest}}  {'state':13}  {'at':8}  {'took ms':>7}", style="bold", no_wrap=True)
    for job in jobs:
        row = Text(f"{one_line(job.id):{_ID}}  {one_line(job.task):{longest}}  ", no_wrap=True)
        row.append_text(_state(job)).append(" " * (15 - len(job.state.value)))
        yield row.append(f"{moment(job.created_ms, 'seconds')[-8:]}  {_took(job):>7}")
        if job.error:
            yield Text("  ! ", style="red").append_text(_error(job))


def _state(job: Job) -> Text:
    return Text(job.state.value, style=_COLOURS.get(job.state, ""))


def _error(job: Job) -> Text:
    return _text((job.error or "").partition("\n")[0])


def _text(text: str) -> Text:
    return Text(one_line(text))  # not markup: a name may hold brackets


def _took(job: Job) -> str:
    if job.started_ms is None or job.finished_ms is None:
        return ""
    return str(job.finished_ms - job.started_ms)
