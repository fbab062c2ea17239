"""Which traces Zipkin has, as far as anybody has looked: a link into Zipkin works only when it has the trace."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from kombu_zipkin.errors import ZipkinRefused, ZipkinUnavailable
from kombu_zipkin.zipkin import ZipkinClient

_log = logging.getLogger(__name__)

_PAUSE_SECONDS: Final = 0.5
_AT_ONCE: Final = 50
_KEPT: Final = 20_000


class Arrivals:
    """Asks Zipkin in the background for the traces that pages show, so that no page waits for it. Any thread may ask.

    Args:
        zipkin: Has the traces.
    """

    def __init__(self, zipkin: ZipkinClient) -> None:
        self._zipkin = zipkin
        self._lock = threading.Lock()  # of the three below
        self._known: OrderedDict[str, None] = OrderedDict()
        self._wanted: OrderedDict[str, None] = OrderedDict()
        self._thread: threading.Thread | None = None
        self._asked = threading.Event()
        self._stop = threading.Event()

    def has(self, trace_id: str) -> bool:
        """Whether Zipkin is known to have the trace; if not, it will be asked."""
        with self._lock:
            if trace_id in self._known:
                return True
            self._wanted[trace_id] = None
            self._wanted.move_to_end(trace_id)
            while len(self._wanted) > _AT_ONCE:  # the newest are what somebody looks at
                self._wanted.popitem(last=False)
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._run, name="producer-arrivals", daemon=True)
                self._thread.start()
        self._asked.set()
        return False

    def saw(self, trace_ids: Iterable[str]) -> None:
        """Note traces that Zipkin has shown."""
        with self._lock:
            for trace_id in trace_ids:
                self._known[trace_id] = None
                self._wanted.pop(trace_id, None)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)

    def close(self, timeout: float) -> None:
        """Stop asking; waits for the last answer up to ``timeout`` seconds."""
        self._stop.set()
        self._asked.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stop.wait(_PAUSE_SECONDS):
            self._asked.wait()
            self._asked.clear()
            with self._lock:
                wanted = list(self._wanted)
                self._wanted.clear()  # what is still looked at will be asked for again
            try:
                self.saw(self._zipkin.known(wanted))
            except (ZipkinUnavailable, ZipkinRefused) as error:
                _log.debug("Zipkin is not asked for traces now: %s", error)
