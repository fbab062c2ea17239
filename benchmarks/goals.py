"""A row of a table: what was found, beside what it should be."""

import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

MISSED: list[str] = []
"""Rows that missed their goal, for the end of the table."""


def row(what: str, found: Sequence[float], goal: str, unit: str = "") -> None:
    """Print the median and the spread of what was found, and whether the goal is met.

    Args:
        what: What was measured.
        found: A number each round.
        goal: ``<= 2`` or ``>= 0.95``; empty for none.
        unit: Of the numbers.
    """
    middle = statistics.median(found)
    met = "" if not goal else "met" if _holds(middle, goal) else "MISSED"
    if met == "MISSED":
        MISSED.append(what)
    spread = f"({min(found):,.2f}..{max(found):,.2f})" if len(found) > 1 else ""
    print(f"{what:<66} {middle:>14,.2f} {unit:<9} {spread:<28} {goal:<12} {met}", flush=True)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which this share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def print_table(parts: Mapping[str, Callable[[], None]], names: Sequence[str]) -> NoReturn:
    """Print the table, of all parts or of the named ones; exits 1 when a goal was missed."""
    unknown = [name for name in names if name not in parts]
    if unknown:
        sys.exit(f"expected some of {', '.join(parts)}, got {', '.join(unknown)}")
    print(f"{'':<66} {'median':>14} {'':<9} {'(spread)':<28} goal")
    for name in names or parts:
        parts[name]()
    print(f"\n{len(MISSED)} goals missed" + "".join(f"\n  {what}" for what in MISSED))
    sys.exit(1 if MISSED else 0)


def _holds(found: float, goal: str) -> bool:
    word, number = goal.split()
    bound = float(number.replace(",", ""))
    return found <= bound if word == "<=" else found >= bound
