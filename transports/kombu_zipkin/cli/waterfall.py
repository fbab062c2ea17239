"""A trace drawn for a terminal: the tree, and beside it a bar for every span on the trace's time axis."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len
from rich.text import Text

from kombu_zipkin.cli.screen import number, one_line
from kombu_zipkin.zipkin import Bar, Timeline, TraceTree

_COLOURS: Final = ("cyan", "magenta", "green", "yellow", "blue", "bright_cyan")  # red is for errors
_ERROR: Final = "bold red"
_NARROW: Final = 80  # below it the bar alone says when a span starts
_LEAST_BAR: Final = 12
_LEAST_LABEL: Final = 20
_SHARE: Final = 0.55  # of what the numbers leave goes to the tree at most


@dataclass(frozen=True, slots=True)
class Ink:
    """The characters of a bar.

    Attributes:
        parts: A cell filled from the left by one part, by two, and so on to the whole cell.
        wait: A cell of time in a queue.
        cut: Where text does not fit.
    """

    parts: str
    wait: str
    cut: str


BLOCKS: Final = Ink("▏▎▍▌▋▊▉█", "░", "…")
ASCII: Final = Ink("#", ".", "~")
"""Where the terminal's encoding has no blocks."""


@dataclass(frozen=True, slots=True)
class _Columns:
    starts: bool
    label: int
    bar: int


def plain(tree: TraceTree) -> Iterator[Text]:
    """Return a line for every span: milliseconds since the trace began, duration, then the tree."""
    yield Text(f"{'start ms':>10} {'took ms':>10}  service and span", style="dim")
    line = Timeline.of(tree)
    for bar in line.bars:
        text = Text(f"{bar.starts_ms:10.1f} {bar.took_ms:10.1f}  ").append_text(
            _label(bar, line.services, 2 * bar.depth)
        )
        if bar.node.error is not None:
            text.append(f"  error: {one_line(bar.node.error)}", style="red")
        yield text


def drawn(tree: TraceTree, trace_id: str, width: int, ink: Ink = BLOCKS) -> Iterator[Text]:
    """Return the trace as lines of at most so many columns: what it is, then the spans with their bars.

    Args:
        tree: The trace.
        trace_id: Its id.
        width: Columns.
        ink: The characters of the bars.
    """
    line = Timeline.of(tree)
    yield from _head(tree, line, trace_id, width)
    columns = _columns(line, width)
    numbers = f"{'start ms':>10} {'took ms':>10}  " if columns.starts else f"{'took ms':>10}  "
    head = Text(numbers + _filled("service and span", columns.label), style="dim")
    if columns.bar:
        head.append("  " + _axis(line.took_ms, columns.bar))
    yield head
    for bar in line.bars:
        yield _row(bar, line.services, columns, ink)
        if bar.node.error is not None:
            yield _error(bar, columns, width, ink)


def _head(tree: TraceTree, line: Timeline, trace_id: str, width: int) -> Iterator[Text]:
    failed = sum(bar.node.error is not None for bar in line.bars)
    facts = [Text("trace ").append(one_line(trace_id), style="bold"), Text(f"{line.took_ms:.1f} ms")]
    facts.append(Text(number(len(line.bars), "span")))
    if failed:
        facts.append(Text(f"{failed} failed", style=_ERROR))
    yield from _packed(facts, width, "  ")
    names = [Text(one_line(name) or "unnamed", style=_colour(place)) for name, place in line.services.items()]
    yield from _packed([Text("services"), *names], width, "  ")
    if tree.orphans:
        callers = ", ".join(sorted({one_line(node.service) or "a service" for node in tree.orphans}))
        sentence = f"not whole: whoever called {callers} has not arrived"
        yield from _packed([Text(word, style="yellow") for word in sentence.split()], width, " ")


def _packed(pieces: Iterable[Text], width: int, gap: str) -> Iterator[Text]:
    """Put pieces beside each other, as many into a line as it takes."""
    line = Text()
    for piece in pieces:
        if line and cell_len(line.plain) + len(gap) + cell_len(piece.plain) > width:
            yield line
            line = Text()
        line.append(gap if line else "").append_text(piece)
    yield line


def _columns(line: Timeline, width: int) -> _Columns:
    """Divide the width: the tree gets what it needs up to a share, the bars the rest, if that is enough for bars."""
    starts = width >= _NARROW
    rest = max(_LEAST_LABEL, width - (23 if starts else 12))
    longest = max((_length(bar, line.services) for bar in line.bars), default=0)
    label = min(max(longest, _LEAST_LABEL), max(_LEAST_LABEL, int(rest * _SHARE)))
    if rest - label - 2 < _LEAST_BAR:
        return _Columns(starts, rest, 0)
    return _Columns(starts, label, rest - label - 2)


def _length(bar: Bar, services: Mapping[str, int]) -> int:
    return 2 * bar.depth + cell_len(_label(bar, services, 0).plain)


def _row(bar: Bar, services: Mapping[str, int], columns: _Columns, ink: Ink) -> Text:
    text = Text(f"{bar.starts_ms:10.1f} {bar.took_ms:10.1f}  " if columns.starts else f"{bar.took_ms:10.1f}  ")
    label = _label(bar, services, _indent(bar, columns))
    if cell_len(label.plain) > columns.label:  # the kind goes first
        label = _cut(_label(bar, services, _indent(bar, columns), kind=False), columns.label, ink)
    text.append_text(label)
    if columns.bar:
        text.append(" " * (columns.label - cell_len(label.plain) + 2))
        style = _ERROR if bar.node.error is not None else _colour(services[bar.node.service])
        text.append(_bar(bar, columns.bar, ink), style=style)
    return text


def _error(bar: Bar, columns: _Columns, width: int, ink: Ink) -> Text:
    """Return an error's own line, below its span."""
    before = " " * ((23 if columns.starts else 12) + _indent(bar, columns))
    return _cut(Text(f"{before}! {one_line(bar.node.error or '') or 'error'}", style=_ERROR), width, ink)


def _cut(text: Text, cells: int, ink: Ink) -> Text:
    if cell_len(text.plain) > cells:
        text.truncate(cells - 1)
        text.append(ink.cut)
    return text


def _indent(bar: Bar, columns: _Columns) -> int:
    return min(2 * bar.depth, columns.label // 2)  # a chain of jobs may be deeper than a terminal is wide


def _label(bar: Bar, services: Mapping[str, int], indent: int, *, kind: bool = True) -> Text:
    failed = bar.node.error is not None
    text = Text(" " * indent)
    text.append(f"{one_line(bar.node.service)} ", style=_colour(services[bar.node.service]))
    text.append(one_line(bar.node.name), style=_ERROR if failed else "bold")
    if kind and bar.node.kind:
        text.append(f" {one_line(bar.node.kind)}", style="dim")
    return text


def _bar(bar: Bar, cells: int, ink: Ink) -> str:
    """Return a bar; one that is shorter than a cell is as much of it as the span took."""
    first = min(int(bar.left * cells), cells - 1)
    if bar.node.is_wait:
        return " " * first + ink.wait * max(1, round((bar.left + bar.width) * cells) - first)
    took = bar.width * cells
    filled = took if took < 1 else (bar.left + bar.width) * cells - first
    whole, part = divmod(max(1, round(filled * len(ink.parts))), len(ink.parts))
    return " " * first + ink.parts[-1] * whole + (ink.parts[part - 1] if part else "")


def _axis(took_ms: float, cells: int) -> str:
    end = f"{took_ms:.1f} ms"
    return "0" + " " * max(1, cells - 1 - len(end)) + end


def _filled(text: str, cells: int) -> str:
    return text[:cells].ljust(cells)


def _colour(place: int) -> str:
    return _COLOURS[place % len(_COLOURS)]
