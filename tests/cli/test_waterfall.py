"""A trace drawn for a terminal."""

from typing import Any

import pytest
from rich.cells import cell_len

from kombu_zipkin.cli.waterfall import ASCII, drawn
from kombu_zipkin.zipkin import TraceTree
from tests.producer.test_waterfall import PROCESS, PUBLISH, ROOT, WAIT, span

FAILED = span("retry", 90, 0.1, id="5", parent="4", service="worker", tags={"error": "no luck"})


def lines(spans: list[dict[str, Any]], width: int, **ink: Any) -> list[str]:
    """Draw a trace without its colours."""
    return [line.plain.rstrip() for line in drawn(TraceTree.of(spans), "a" * 32, width, **ink)]


def test_bars_stand_on_the_axis_beside_their_spans() -> None:
    """Waits are hatched, what is shorter than a column is a part of one, an error has a line of its own."""
    assert lines([ROOT, PUBLISH, WAIT, PROCESS, FAILED], 80) == [
        f"trace {'a' * 32}  100.0 ms  5 spans  1 failed",
        "services  webapp  redis  worker",
        "  start ms    took ms  service and span             0                   100.0 ms",
        "       0.0       10.0  webapp post SERVER           ██▊",
        "       2.0        1.0    webapp publish PRODUCER    ▎",
        "       3.0       77.0      redis wait in jobs       ░░░░░░░░░░░░░░░░░░░░░░",
        "      80.0       20.0      worker process CONSUMER                        ██████",
        "      90.0        0.1        worker retry                                    ▏",
        "                             ! no luck",
    ]


def test_a_narrow_terminal_loses_the_starts_then_the_kinds_then_the_bars() -> None:
    """In this order, for the bar shows a start as well."""
    named = [ROOT, span("quite a long name of work", 0, 5, id="9", parent="1", kind="CLIENT", service="warehouse")]
    assert lines(named, 60)[2:] == [
        "   took ms  service and span            0            10.0 ms",
        "      10.0  webapp post SERVER          ████████████████████",
        "       5.0    warehouse quite a long …  ██████████",
    ]
    assert lines(named, 40)[-1] == "       5.0    warehouse quite a long na…"
    shorter = [ROOT, span("quite a long name", 0, 5, id="9", parent="1", kind="CLIENT", service="shop")]
    assert lines(shorter, 60)[-1].startswith("       5.0    shop quite a long name    ██")


@pytest.mark.parametrize("width", [40, 41, 59, 60, 79, 80, 81, 120, 250])
def test_a_drawing_is_never_wider_than_asked_for(width: int) -> None:
    """However deep the tree, however long or wide its names, however many services; nor does it hold a control code."""
    deep = [span(f"step {n} 仕事", n, 100 - n, id=f"d{n}", parent=f"d{n - 1}" if n else None, service=f"s{n}",
                 kind="CONSUMER", tags={"error": "失敗\x1b[31m\n" * 40}) for n in range(70)]  # fmt: skip
    shown = lines([*deep, span("lost", 3, 1, id="x", parent="gone", service="shop")], width)
    assert max(map(cell_len, shown)) <= width
    assert all(character.isprintable() for line in shown for character in line)
    assert any("step 69" in line for line in shown)
    assert "shop has not arrived" in " ".join(shown)


def test_bars_need_no_more_than_ascii_where_a_terminal_has_no_more() -> None:
    """Number signs and points."""
    assert lines([ROOT, WAIT], 80, ink=ASCII)[-1].endswith("redis wait in jobs     " + 34 * ".")
    assert "".join(lines([ROOT, WAIT, FAILED], 60, ink=ASCII)).isascii()


def test_a_trace_of_nothing_is_drawn_all_the_same() -> None:
    """Such as spans that name each other as parents."""
    circle = [span("a", 0, 1, id="1", parent="2"), span("b", 0, 1, id="2", parent="1")]
    assert lines(circle, 80)[0] == f"trace {'a' * 32}  0.0 ms  0 spans"
