"""Redis did as it was told, and its answer was lost: the same again changes nothing."""

import contextlib
import select
import socket
import threading
from collections.abc import Iterator

import pytest

from kombu_zipkin.errors import StreamUnavailable
from kombu_zipkin.spans import (
    Appended,
    DeadLetters,
    Moved,
    ProducerReport,
    Settlement,
    SpanGroup,
    SpanStream,
    read_ledger,
)
from tests.servers import RedisServer
from tests.spans.making import spans_in_stream
from tests.spans.test_dead_letters import bury, closed_books
from tests.spans.test_ledger import entry, fill


class DeafLine:
    """A way to Redis that, once told so, hands on one command, swallows the answer and hangs up.

    Args:
        port: Redis's.
    """

    def __init__(self, port: int) -> None:
        self._redis = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        self.is_deaf = False
        self._closed = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """Hang up on everybody."""
        self._closed.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._threads.append(threading.Thread(target=self._serve, args=(client,)))
                self._threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._redis) as server:
            other = {client: server, server: client}
            while not self._closed.is_set():
                for ready in select.select([client, server], [], [], 0.05)[0]:
                    data = ready.recv(1 << 16)
                    if not data:
                        return
                    if ready is server and self.is_deaf:
                        self.is_deaf = False
                        return
                    other[ready].sendall(data)


@pytest.fixture
def line(redis_server: RedisServer) -> Iterator[DeafLine]:
    """A way to the shared Redis."""
    made = DeafLine(redis_server.port)
    yield made
    made.close()


def test_an_append_without_an_answer_is_repeated(line: DeafLine, redis_url: str, namespace: str) -> None:
    """The batch is in, once."""
    stream = SpanStream(line.url, stream=namespace)
    stream.append(entry(1), ProducerReport(3, 0, {}))
    line.is_deaf = True
    with pytest.raises(StreamUnavailable, match="append 3 spans"):
        stream.append(entry(2), ProducerReport(6, 3, {}))
    assert stream.append(entry(2), ProducerReport(6, 3, {})) is Appended.REPEATED
    stream.close()
    ledger = read_ledger(redis_url, stream=namespace)
    assert (ledger.totals["appended"], ledger.waiting, ledger.difference) == (6, 6, 0)


def test_a_settlement_without_an_answer_counts_once(line: DeafLine, redis_url: str, namespace: str) -> None:
    """However often it is sent."""
    fill(redis_url, namespace, 2)
    group = SpanGroup(line.url, "relay-1", stream=namespace)
    settlements = [Settlement(received, 3) for received in group.read(10, 100)]
    assert group.settle([]) == 0  # Redis knows the script from here on
    line.is_deaf = True
    with pytest.raises(StreamUnavailable, match="settle 2 entries"):
        group.settle(settlements)
    assert group.settle(settlements) == 0
    group.close()
    ledger = read_ledger(redis_url, stream=namespace)
    assert (ledger.totals["delivered"], ledger.waiting, ledger.difference) == (6, 0, 0)


@pytest.mark.parametrize("purge", [False, True], ids=["replay", "purge"])
def test_letters_are_moved_once_though_the_answer_was_lost(
    line: DeafLine, redis_url: str, namespace: str, purge: bool
) -> None:
    """The operator's second try finds them gone."""
    bury(redis_url, namespace, letters=5)
    dead = DeadLetters(line.url, stream=namespace)
    act = dead.purge if purge else dead.replay
    first, *rest = [letter.id for letter in dead.list()]
    assert act([first]) == Moved(1, 1)
    letters = [letter for each in rest if (letter := dead.show(each)) is not None]
    line.is_deaf = True
    with pytest.raises(StreamUnavailable, match="4 dead letters"):
        dead._purge(letters) if purge else dead._replay(letters)
    assert act(rest) == Moved(gone=4)
    dead.close()
    assert closed_books(redis_url, namespace) == {"appended": 5, "purged" if purge else "waiting": 5}
    spans = spans_in_stream(redis_url, namespace)
    assert len({span["id"] for span in spans}) == len(spans) == (0 if purge else 5)
