"""How many POSTs are in flight, and how much is read ahead."""

import threading
from itertools import pairwise

from kombu_zipkin.relay.backlog import Backlog, Bounds
from kombu_zipkin.relay.window import QUICK_SECONDS, SLOW_SECONDS, WORTH_SECONDS, Window
from kombu_zipkin.spans import Entry, Received, compress, encode
from tests.servers import wait_until
from tests.spans.making import make_spans


def received(number: int, spans: int = 10) -> Received:
    """Return an entry as it comes out of the stream."""
    entry = Entry(compress(b",".join(map(encode, make_spans(spans)))), spans, "p", number, 1_700_000_000_000)
    return Received(f"{number}-0", entry, [])


def test_it_begins_with_one_and_grows_to_its_bound_while_posts_are_quick_and_more_waits() -> None:
    """By one in each round, as TCP does."""
    window, limits = Window(3), []
    for _ in range(8):
        limits.append(window.limit)
        window.took(QUICK_SECONDS / 2, more_waits=True)
    assert limits[0] == 1
    assert limits[-1] == 3
    assert all(0 <= after - before <= 1 for before, after in pairwise(limits))


def test_it_does_not_grow_without_need() -> None:
    """Nothing waits, or Zipkin is not quick, or so quick that the next POST is not even ready."""
    window = Window(4)
    for _ in range(10):
        window.took(WORTH_SECONDS / 2, more_waits=True)
        window.took(QUICK_SECONDS / 2, more_waits=False)
        window.took((QUICK_SECONDS + SLOW_SECONDS) / 2, more_waits=True)
    assert window.limit == 1


def test_a_slow_post_halves_it_and_a_failure_leaves_one() -> None:
    """Zipkin is falling behind, or away."""
    window = Window(8)
    for _ in range(60):
        window.took(0.05, more_waits=True)
    assert window.limit == 8
    window.took(SLOW_SECONDS * 2, more_waits=True)
    assert window.limit == 4
    window.failed()
    assert window.limit == 1


def test_a_place_is_waited_for_and_a_closed_window_gives_none() -> None:
    """One holds the only place; another one waits, and is told."""
    window, given = Window(1), []

    def ask() -> None:
        with window.place() as got:
            given.append(got)

    with window.place() as mine:
        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        assert mine
        assert not given
        window.close()
        wait_until(lambda: given == [False, False], "both to be told")
    for thread in threads:
        thread.join()


def test_a_post_carries_no_more_than_its_bounds_and_at_least_one_entry() -> None:
    """By spans, and by compressed bytes."""
    size = len(compress(b",".join(map(encode, make_spans(10)))).payload)
    for bounds, expected in [(Bounds(25, 1 << 20), 2), (Bounds(1000, size * 3 + size // 2), 3), (Bounds(1, 1), 1)]:
        backlog = Backlog(bounds, posts=4)
        backlog.add([received(number) for number in range(8)])
        assert len(backlog.take()) == expected


def test_reading_ahead_ends_when_a_few_posts_worth_is_in_hand() -> None:
    """And goes on when some of it was settled; what is held twice counts once."""
    backlog = Backlog(Bounds(100, 1 << 30), posts=1)
    entries = [received(number) for number in range(30)]
    backlog.add(entries)
    backlog.add(entries)
    assert len(backlog) == 30
    assert backlog.room(0.01) == 0
    backlog.drop(backlog.take())
    assert backlog.room(0.01) > 0


def test_it_is_read_as_many_entries_as_make_a_post() -> None:
    """By what the entries in hand are like."""
    backlog = Backlog(Bounds(100, 1 << 30), posts=4)
    backlog.add([received(1, spans=5)])
    assert backlog.room(0.01) == 20


def test_tiny_entries_do_not_fill_the_memory() -> None:
    """Each weighs more than its payload."""
    backlog = Backlog(Bounds(100_000, 1 << 20), posts=1)
    backlog.add([received(number, spans=1) for number in range(3000)])
    assert backlog.room(0.01) == 0
