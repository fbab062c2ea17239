"""What a task's docstring says: what the task does, and what each parameter is for."""

import inspect
import re
from typing import Final

_SECTION: Final = re.compile(r"^(Args|Arguments|Parameters|Returns|Raises|Yields|Examples?|Attributes|Notes?):\s*$")
_PARAMETER: Final = re.compile(r"^(\s+)(\w+)(?:\s*\([^)]*\))?:\s*(.*)$")


def purpose(docstring: str | None) -> str:
    """Return what stands before the first section. Source: Google's Python style, comments and docstrings."""
    lines = inspect.cleandoc(docstring or "").splitlines()
    end = next((at for at, line in enumerate(lines) if _SECTION.match(line)), len(lines))
    return "\n".join(lines[:end]).strip()


def told_parameters(docstring: str | None) -> dict[str, str]:
    """Return what the section ``Args:`` says of each parameter, by name; empty without one."""
    found: dict[str, str] = {}
    name, depth, inside = "", 0, False
    for line in inspect.cleandoc(docstring or "").splitlines():
        if section := _SECTION.match(line):
            inside = section[1] in ("Args", "Arguments", "Parameters")
            continue
        begun = _PARAMETER.match(line) if inside else None
        if begun and (not found or len(begun[1]) <= depth):
            name, depth = begun[2], len(begun[1])
            found[name] = begun[3]
        elif inside and found:
            found[name] = f"{found[name]} {line.strip()}".strip()
    return found
