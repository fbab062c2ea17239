"""Run a subject under a watchdog, and look at what lies in the stream afterwards."""

import os
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from kombu_zipkin.spans import read_ledger
from tests.servers.process import ROOT
from tests.spans.making import spans_in_stream


def run_subject(name: str, *args: str, seconds: float = 30.0) -> str:
    """Run one of the subjects to its end; returns what it printed.

    Raises:
        AssertionError: It failed, or it hung and was killed with all its children.
    """
    argv = [sys.executable, "-X", "faulthandler", "-m", f"tests.processes.subjects.{name}", *args]
    process = subprocess.Popen(
        argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        printed, complained = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as error:
        os.killpg(process.pid, signal.SIGKILL)
        printed, complained = process.communicate()
        raise AssertionError(f"{name} hung for {seconds:g} s:\n{complained}") from error
    assert process.returncode == 0, f"{name} ended with {process.returncode}:\n{printed}\n{complained}"
    return printed


def marks(who: str, count: int) -> list[str]:
    """Return the marks that a subject's thread, task or process made."""
    return [f"{who}.{number}" for number in range(count)]


def assert_whole(url: str, stream: str, expected: Iterable[str]) -> dict[str, str]:
    """Check that the stream holds each expected trace whole, every span once, nothing else, and that the books agree.

    Returns:
        The trace id of every mark.
    """
    spans = spans_in_stream(url, stream)
    assert [each for each, count in Counter(span["id"] for span in spans).items() if count > 1] == []
    traces: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for span in spans:
        traces[span["traceId"]].append(span)
    by_mark = [(_mark_of(trace), trace_id) for trace_id, trace in traces.items()]
    found, wanted = Counter(mark for mark, _ in by_mark), Counter(expected)
    assert found == wanted, f"missing: {wanted - found}; too many: {found - wanted}"
    _assert_books(url, stream, len(spans))
    return dict(by_mark)


def _mark_of(trace: list[dict[str, Any]]) -> str:
    """Check one trace: a root, a step below it, a detail below that, all of one mark."""
    assert len(trace) == 3, trace
    root, step, detail = sorted(
        trace, key=lambda span: ("step", "detail").index(span["name"]) + 1 if span["name"] in ("step", "detail") else 0
    )
    assert (step["name"], detail["name"]) == ("step", "detail"), trace
    assert (root.get("parentId"), step["parentId"], detail["parentId"]) == (None, root["id"], step["id"]), trace
    (mark,) = {span["tags"]["mark"] for span in trace}
    return str(mark)


def _assert_books(url: str, stream: str, spans: int) -> None:
    ledger = read_ledger(url, stream=stream)
    assert (ledger.difference, ledger.waiting) == (0, spans)
    wrong = [books for books in ledger.producers if books.held or books.vanished or books.dropped]
    assert wrong == [], "by their last report, producers lost or kept spans"
    assert sum(books.created for books in ledger.producers) == spans
