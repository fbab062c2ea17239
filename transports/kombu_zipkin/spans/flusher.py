"""The thread that carries a process's spans to the stream."""

import logging
import os
import secrets
import socket
import threading
import time
from typing import Final

from kombu_zipkin.errors import StreamUnavailable
from kombu_zipkin.outages import Backoff, Outage
from kombu_zipkin.spans.batches import MAX_SPANS, Batcher
from kombu_zipkin.spans.buffer import SpanBuffer
from kombu_zipkin.spans.entry import Entry
from kombu_zipkin.spans.stream import Appended, ProducerReport, SpanStream

_log = logging.getLogger(__name__)

_REPORT_SECONDS: Final = 10.0
_SIGN_OF_LIFE_SECONDS: Final = 3600.0  # a relay forgets producers that were silent for a week
_STEPS: Final = 5  # of the linger time, in which a batch is looked at; after quiet a trace waits for one of them
_LAST_WORDS_SECONDS: Final = 0.3


class Flusher:
    """Takes spans out of the buffer and appends them, one batch in flight.

    ``start``, ``flush`` and ``close`` may be called from any thread; everything else happens on the flusher's own.

    Args:
        buffer: Where the spans wait.
        stream: Where they go; closed by the flusher's thread at its end.
        server: The stream's server, as a log line may name it.
        linger: Seconds to wait after the first span for more.
    """

    def __init__(self, buffer: SpanBuffer, stream: SpanStream, *, server: str, linger: float) -> None:
        self._buffer = buffer
        self._stream = stream
        self._linger = linger
        self._producer = f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(6)}"
        self._batcher = Batcher(buffer, self._producer)
        self._sent_at = float("-inf")  # monotonic
        self._backoff = Backoff(0.05, 5.0)
        self._outage = Outage(_log, f"span stream on {server}")
        self._reported: ProducerReport | None = None
        self._reported_at = 0.0  # monotonic
        self._progress = threading.Condition()  # guards _hurried and _done; notified after every batch
        self._hurried = self._done = 0
        self._closing = threading.Event()
        self._never = threading.Event()
        self._give_up_at = float("inf")  # monotonic; set before _closing
        self._begun = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; a second call does nothing, also one that comes while the first is at it.

        The buffer's owner sees to it that only one thread calls at a time. Yet a signal handler or, where gevent
        patched the process after the owner's lock was made, another greenlet may still come in between.

        Raises:
            RuntimeError: The process has no thread left; a later call tries again.
        """
        if self._begun:
            return
        self._begun = True
        try:
            self._buffer.filled.set()
            thread = threading.Thread(target=self._run, name="kombu-zipkin-flusher", daemon=True)
            thread.start()
            self._thread = thread
        except RuntimeError:
            self._begun = False
            raise

    def flush(self, timeout: float) -> bool:
        """Wait until all handed over before is acknowledged or dropped; False if ``timeout`` seconds passed."""
        target = self._buffer.queued
        with self._progress:
            self._hurried += 1
            self._buffer.filled.set()
            try:
                return self._progress.wait_for(lambda: self._done >= target, timeout)
            finally:
                self._hurried -= 1

    def close(self, timeout: float) -> None:
        """Send what is left for at most ``timeout`` seconds; the rest is dropped as ``closed``."""
        self._give_up_at = time.monotonic() + timeout
        self._buffer.close()
        self._closing.set()
        if self._thread is not None:
            self._thread.join(timeout + _LAST_WORDS_SECONDS)
        self._buffer.abandon()  # what an append that hangs still holds

    def _run(self) -> None:
        while not self._closing.is_set():
            if self._buffer.filled.wait(_REPORT_SECONDS):
                self._wait_for_more()
                self._send_waiting()
            else:
                self._report()
        self._send_waiting()
        self._report()
        self._stream.close()

    def _wait_for_more(self) -> None:
        """Let a batch grow from its first span on; no longer than until it is full, and less when little comes.

        Not at all while somebody waits in ``flush`` or ``close``.
        """
        now, step = time.monotonic(), self._linger / _STEPS
        until = now + (step if now - self._sent_at > 2 * self._linger else self._linger)
        while not self._hurried and self._buffer.waiting < MAX_SPANS and (left := until - time.monotonic()) > 0:
            if self._closing.wait(min(left, step)):
                return

    def _send_waiting(self) -> None:
        self._buffer.filled.clear()
        while (entry := self._batcher.next()) is not None:
            if self._deliver(entry):
                self._buffer.acknowledged(entry.spans)
            else:
                self._buffer.dropped("closed", entry.spans)
            self._note_progress()
            self._sent_at = time.monotonic()
        self._note_progress()

    def _note_progress(self) -> None:
        with self._progress:
            self._done = self._batcher.done
            self._progress.notify_all()

    def _deliver(self, entry: Entry) -> bool:
        """Append one entry, again and again as it is, until Redis has it or the time to give up has come."""
        while not self._closing.is_set() or time.monotonic() < self._give_up_at:
            error, what_next = self._attempt(entry)
            if error is None:
                self._backoff.reset()
                self._outage.over()
                return True
            wait = self._backoff.next()
            self._outage.failed(error, f"{what_next}, next attempt in {wait:.1f} s")
            if time.monotonic() + wait >= self._give_up_at:
                return False
            self._pause(wait)
        return False

    def _attempt(self, entry: Entry) -> tuple[Exception | None, str]:
        """Append one entry once; return what went wrong, and what that means."""
        try:
            if self._stream.append(entry, self._counted()) is not Appended.FULL:
                return None, ""
            full = StreamUnavailable("the stream is over its byte budget")
            return full, "no relay empties it; start one: kombu-zipkin relay"
        except Exception as error:  # noqa: BLE001 - the entry is kept, whatever it was
            return error, "the spans stay in this process"

    def _pause(self, seconds: float) -> None:
        """Wait; `close` cuts the wait short, but does not turn the attempts after it into a busy loop."""
        (self._never if self._closing.is_set() else self._closing).wait(seconds)

    def _counted(self) -> ProducerReport:
        counts = self._buffer.counts()
        return ProducerReport(counts.created, counts.acknowledged, counts.dropped)

    def _report(self) -> None:
        """Write this process's counts when they have changed since the last report, and once an hour."""
        counted = self._counted()
        due = time.monotonic() - self._reported_at > _SIGN_OF_LIFE_SECONDS
        if counted.created == 0 or (counted == self._reported and not due):
            return
        try:
            self._stream.report(self._producer, counted)
            self._reported, self._reported_at = counted, time.monotonic()
        except Exception as error:  # noqa: BLE001 - counts are for information
            _log.debug("counts not reported: %s; the next batch carries them", error)
