"""How far long work is, where a person watches."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn


@contextmanager
def bar(doing: str) -> Iterator[Callable[[int], None]]:
    """Show how many dead letters have been looked at."""
    console = Console(stderr=True)
    columns = (TextColumn(f"{doing}: dead letters"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(doing, total=None)
        yield lambda looked: progress.advance(task, looked)
