"""The py_zipkin transport handler that writes spans to a Redis Stream, out of the request's way."""

import atexit
import functools
import logging
import os
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Final

from py_zipkin.encoding import Span
from py_zipkin.transport import BaseTransportHandler

from kombu_zipkin.outages import public_address
from kombu_zipkin.spans.buffer import HandOver, SpanBuffer, SpanCounts, hand_over_list, weigh
from kombu_zipkin.spans.flusher import Flusher
from kombu_zipkin.spans.keys import DEFAULT_STREAM
from kombu_zipkin.spans.stream import DEFAULT_BUDGET_BYTES, BudgetPolicy, SpanStream

_log = logging.getLogger(__name__)

_MAX_PAYLOAD_BYTES: Final = 512 * 1024
_EXIT_SECONDS: Final = 2.0
_LAST_OF_ALL: Final = -1000  # multiprocessing's own finalizers have -100 and more


class RedisStreamTransport(BaseTransportHandler):
    """Carries finished spans to a Redis Stream; both a py_zipkin ``transport_handler`` and a `Reporter`.

    ``send`` and ``report`` cost an append to a list: no I/O, no waiting, no exception, from any thread, also in a
    forked child, which gets a buffer and a thread of its own. The flusher's thread starts with the first span. While
    Redis is away the spans wait here, up to the bounds; what does not fit is dropped and counted by cause. What waits
    at interpreter exit is sent for up to two seconds; call ``close`` for a bound of your own.

    Args:
        url: The Redis that holds the stream.
        stream: The stream's name.
        linger_ms: How long the first span of a batch waits for more; a fifth of it after a quiet time.
        max_spans: How many spans may wait in this process.
        max_bytes: How many bytes of memory they may take there, roughly.
        budget_bytes: How many bytes the stream may hold; None for no limit.
        budget_policy: Over it ``refuse_newest`` keeps spans here until there is room; ``drop_oldest`` first drops the
            oldest in the stream that no relay has read yet.

    Raises:
        ConfigurationError: The URL is not one.
    """

    _started: bool
    _closed: bool
    _buffer: SpanBuffer
    _flusher: Flusher

    def __init__(
        self,
        url: str,
        *,
        stream: str = DEFAULT_STREAM,
        linger_ms: int = 100,
        max_spans: int = 50_000,
        max_bytes: int = 64 * 1024 * 1024,
        budget_bytes: int | None = DEFAULT_BUDGET_BYTES,
        budget_policy: BudgetPolicy = "refuse_newest",
    ) -> None:
        super().__init__()
        self._url = url
        self._stream = stream
        self._linger = linger_ms / 1000
        self._bounds = (max_spans, max_bytes)
        self._budget = budget_bytes
        self._policy = budget_policy
        self._open()
        os.register_at_fork(after_in_child=functools.partial(_reopen, weakref.ref(self)))

    def get_max_payload_bytes(self) -> int:
        """Tell py_zipkin how large a list it may hand over."""
        return _MAX_PAYLOAD_BYTES

    def send(self, payload: bytes | str) -> None:
        """Take over an encoded list of spans from py_zipkin."""
        self._put(hand_over_list, payload)

    def report(self, spans: Sequence[Span]) -> None:
        """Take over finished spans; they are encoded in the background and must not be changed any more."""
        if spans:
            self._put(weigh, spans)

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until all that was handed over before is acknowledged by Redis or dropped.

        Returns:
            False if ``timeout`` seconds passed first.
        """
        return self._flusher.flush(timeout)

    def close(self, timeout: float = 5.0) -> SpanCounts:
        """Send what is left for at most ``timeout`` seconds, drop the rest as ``closed``, and stop the thread.

        Returns:
            Where the spans are; nothing is held any more.
        """
        atexit.unregister(self._at_exit)
        with self._starting:
            self._closed = True
        self._flusher.close(timeout)
        return self._buffer.counts()

    def counts(self) -> SpanCounts:
        """Return where this process's spans are."""
        return self._buffer.counts()

    def _put(self, make: Callable[[Any], HandOver], what: object) -> None:
        try:
            handed = make(what)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no span; the request goes on
            _log.warning("what was handed over are no spans: %s: %s", type(what).__name__, error)
            self._buffer.refused("encode_error", 1)
            return
        self._buffer.put(handed)
        if not self._started:
            self._start()

    def _start(self) -> None:
        with self._starting:
            if self._started or self._closed:
                return
            try:
                self._flusher.start()
            except RuntimeError as error:  # no thread to be had right now: the next span tries again
                _log.debug("the flusher cannot start yet: %s", error)
                return
            self._started = True
            atexit.register(self._at_exit)
            if "multiprocessing.util" in sys.modules:  # its children leave without atexit
                finalize = sys.modules["multiprocessing.util"].Finalize
                finalize(self, _close_at_exit, (weakref.ref(self),), exitpriority=_LAST_OF_ALL)

    def _open(self) -> None:
        """Make everything that belongs to one process; a forked child makes its own and forgets its parent's."""
        self._starting = threading.RLock()  # guards _started and _closed
        self._started = self._closed = False
        self._buffer = SpanBuffer(*self._bounds)
        stream = SpanStream(self._url, stream=self._stream, budget_bytes=self._budget, budget_policy=self._policy)
        self._flusher = Flusher(self._buffer, stream, server=public_address(self._url), linger=self._linger)

    def _at_exit(self) -> None:
        self.close(_EXIT_SECONDS)


def _close_at_exit(reference: "weakref.ref[RedisStreamTransport]") -> None:
    transport = reference()
    if transport is not None:
        transport._at_exit()


def _reopen(reference: "weakref.ref[RedisStreamTransport]") -> None:
    transport = reference()
    if transport is not None:
        atexit.unregister(transport._at_exit)
        transport._open()
