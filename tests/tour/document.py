"""A document of commands, read so that none of them can be missed."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

INTERRUPT: Final = "^C"
"""Ctrl-C, as the first terminal shows it."""

_FENCE: Final = re.compile(r"^\s*(```|~~~)(.*)$")
_PROMPT: Final = "$ "
_VARIES: Final = {
    r"…": ".*",
    r"\s+": r"\s+",
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?": r"[\d.: -]+",
    r"\b[0-9a-f]{16,32}\b": "[0-9a-f]{16,32}",
    r"(?<=-)\d{10}\b": r"\d{10}",  # ids that end in the time of day
    r"\d+\.\d+(?!\.)|\d+(?= ms\b)|\d+(?=/s\b)": r"[\d.]+",
}
_PARTS: Final = re.compile("|".join(f"(?P<v{at}>{each})" for at, each in enumerate(_VARIES)))


@dataclass(frozen=True, slots=True)
class Step:
    """A command with what it prints, or what the first terminal says.

    Attributes:
        line: Where it stands in the document.
        command: What is typed; empty for the first terminal's words.
        shown: The lines shown below it.
    """

    line: int
    command: str
    shown: tuple[str, ...]


def steps_of(text: str) -> list[Step]:
    """Return what the document shows: ``console`` blocks of commands, and ``text`` blocks of the first terminal.

    Raises:
        ValueError: A block is neither, or something in one is neither a command nor below one.
    """
    steps: list[Step] = []
    for begun, kind, lines in _blocks(text):
        if kind == "text":
            steps.append(Step(begun, "", tuple(lines)))
        elif kind == "console":
            steps += _commands(begun, lines)
        else:
            raise ValueError(f"line {begun}: expected a console or text block, got {kind!r}")
    return steps


def typed_in_prose(text: str) -> list[str]:
    """Return what stands in the text between backquotes, outside the blocks."""
    prose, within = [], False
    for line in text.splitlines():
        if _FENCE.match(line):
            within = not within
        elif not within:
            prose.append(line)
    return re.findall(r"`([^`]+)`", " ".join(prose))


def missing(shown: Sequence[str], printed: str) -> str | None:
    """Return the first line shown that was not printed, in that order; None when all were.

    Numbers must be the same, unless they are times, rates, dates or ids; ``…`` stands for anything.
    """
    lines = iter(line.strip() for line in printed.splitlines())
    for line in shown:
        wanted = _pattern(line.strip())
        if line.strip() not in ("", "…") and not any(wanted.fullmatch(each) for each in lines):
            return line
    return None


def _pattern(line: str) -> re.Pattern[str]:
    found, at = "", 0
    for part in _PARTS.finditer(line):
        kind = list(_VARIES.values())[int((part.lastgroup or "v0")[1:])]
        found += re.escape(line[at : part.start()]) + kind
        at = part.end()
    return re.compile(found + re.escape(line[at:]))


def _blocks(text: str) -> Iterator[tuple[int, str, list[str]]]:
    """Yield each block: its first line's number, its kind, its lines."""
    kind, begun, lines = None, 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        fence = _FENCE.match(line)
        if kind is None and fence is None:
            if line.startswith(("    ", "\t")):
                raise ValueError(f"line {number}: expected text or a fenced block, got an indented line")
        elif kind is None and fence is not None:
            kind, begun, lines = fence[2].strip(), number + 1, []
        elif fence is not None:
            yield begun, kind or "", lines
            kind = None
        else:
            lines.append(line)
    if kind is not None:
        raise ValueError(f"line {begun}: expected an end of the block")


def _commands(begun: int, lines: Sequence[str]) -> list[Step]:
    steps: list[Step] = []
    for number, line in enumerate(lines, begun):
        if line.startswith(_PROMPT):
            steps.append(Step(number, line.removeprefix(_PROMPT), ()))
        elif steps:
            last = steps.pop()
            steps.append(Step(last.line, last.command, (*last.shown, line)))
        else:
            raise ValueError(f"line {number}: expected a command after {_PROMPT!r}, got {line!r}")
    return steps
