"""kombu's Redis transport with our channel, and a poller that knows what the channel waits for."""

from contextlib import suppress
from typing import Any

from kombu.transport import redis

from kombu_zipkin.broker.channel import Channel
from kombu_zipkin.broker.doorbell import Doorbell
from kombu_zipkin.broker.waiter import Waiter


class Poller(redis.MultiChannelPoller):
    """kombu's, with doorbells and waiters among what it polls."""

    def watch(self, channel: Channel, watched: Any) -> None:
        """Poll something of a channel's from now on."""
        ident, sock = (channel, watched, watched), watched.sock
        known = self._chan_to_sock.get(ident)
        if known is sock:
            return
        if known is not None:
            self.unwatch(channel, watched)
        self._fd_to_chan[sock.fileno()] = (channel, watched)
        self._chan_to_sock[ident] = sock
        self.poller.register(sock, self.eventflags)

    def unwatch(self, channel: Channel, watched: Any) -> None:
        """Poll it no more."""
        sock = self._chan_to_sock.pop((channel, watched, watched), None)
        if sock is None:
            return
        for fileno in [fd for fd, each in self._fd_to_chan.items() if each == (channel, watched)]:
            del self._fd_to_chan[fileno]
            with suppress(OSError):  # closed already
                self._unregister_from_poll(fileno)

    def on_readable(self, fileno: int) -> Any:
        """Have the reader of a descriptor read."""
        found = self._fd_to_chan.get(fileno)
        if found is not None and isinstance(found[1], (Waiter, Doorbell)):
            return self._read(*found)
        return super().on_readable(fileno)

    def _read(self, channel: Channel, watched: Any) -> Any:
        try:
            return watched.readable()
        finally:
            if watched.sock is None:
                self.unwatch(channel, watched)

    def _register_BRPOP(self, channel: Channel) -> None:  # noqa: N802 - kombu's name
        channel.intake.listen()

    def maybe_restore_messages(self) -> None:
        """Do nothing: each channel's `LeaseKeeper` restores."""

    def on_poll_init(self, poller: Any) -> None:
        """Use the event loop's poller."""
        self.poller = poller


class Transport(redis.Transport):
    """Reached by ``Connection(url, transport="kombu_zipkin.broker:Transport")``; wire format and keys are kombu's."""

    Channel = Channel

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cycle = Poller()
