"""One tracer and one transport in threads, forks, multiprocessing, greenlets and tasks."""

import json

import pytest

from tests.processes.checking import assert_whole, marks, run_subject


@pytest.mark.parametrize("attempt", range(2))
def test_threads_do_not_mix_their_traces(redis_url: str, namespace: str, attempt: int) -> None:
    """Every thread's traces are whole, and sent without a ``close``."""
    run_subject("threads", redis_url, namespace)
    assert_whole(redis_url, namespace, [mark for number in range(32) for mark in marks(f"thread-{number}", 20)])


@pytest.mark.parametrize("attempt", range(3))
def test_a_fork_while_threads_report_neither_hangs_nor_repeats(redis_url: str, namespace: str, attempt: int) -> None:
    """Twenty forks, half of them inside an open trace: each process reports its own spans, once."""
    printed = json.loads(run_subject("forks", redis_url, namespace))
    assert printed["codes"] == [0] * 20
    expected = [mark for who, count in printed["made"].items() for mark in marks(who, count)]
    expected += [f"around-{fork}.0" for fork in range(0, 20, 2)]
    expected += [mark for fork in range(20) for mark in marks(f"child-{fork}", 3) + marks(f"child-{fork}-thread", 3)]
    assert_whole(redis_url, namespace, expected)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_loses_nothing_when_its_processes_end(redis_url: str, namespace: str, method: str) -> None:
    """Processes and pools end without the interpreter's usual exit; their spans are sent all the same."""
    run_subject("pools", redis_url, namespace, method)
    whos = ["before", "after", *(f"{kind}-{number}" for kind in ("process", "pooled") for number in range(3))]
    assert_whole(redis_url, namespace, [mark for who in whos for mark in marks(who, 5)])


@pytest.mark.parametrize("attempt", range(2))
def test_greenlets_do_not_mix_their_traces(redis_url: str, namespace: str, attempt: int) -> None:
    """The flusher is a greenlet too: it sends while others run, and at the end."""
    run_subject("greenlets", redis_url, namespace)
    whos = ["late", *(f"greenlet-{number}" for number in range(40))]
    assert_whole(redis_url, namespace, [mark for who in whos for mark in marks(who, 10)])


def test_greenlets_that_report_at_once_share_one_flusher(redis_url: str, namespace: str) -> None:
    """Two would number one producer's batches against each other, and one of them would pass for a repetition."""
    assert run_subject("preloaded", redis_url, namespace).strip() == "1"
    assert_whole(redis_url, namespace, [mark for number in range(40) for mark in marks(f"greenlet-{number}", 1)])


@pytest.mark.parametrize("attempt", range(2))
def test_asyncio_tasks_do_not_mix_their_traces(redis_url: str, namespace: str, attempt: int) -> None:
    """Also where a thread does a task's work."""
    run_subject("tasks", redis_url, namespace)
    assert_whole(redis_url, namespace, [mark for number in range(40) for mark in marks(f"task-{number}", 10)])
