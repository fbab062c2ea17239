"""A connection of one thread's own, for many commands in one round trip."""

import os
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from hiredis import pack_command
from redis.exceptions import NoScriptError, RedisError, ResponseError

Command = tuple[Any, ...]

_FRESH_SECONDS: Final = 1.0


class Line:
    """A connection that is kept, opened when it is needed. Used by one thread; a call raises what redis-py raises.

    Past the client and its pool, which cost a third of a job: ``benchmarks/jobs.py``.

    Args:
        pool: Makes the connection, which does not count among the pool's.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._connection: Any = None
        self._used_at = 0.0  # monotonic

    @property
    def sock(self) -> Any:
        """The socket; None while there is none."""
        return None if self._connection is None else self._connection._sock

    def open(self) -> bool:
        """Connect.

        Returns:
            Whether this is a new connection.
        """
        if self._connection is None:
            self._connection = self._pool.connection_class(**self._pool.connection_kwargs)
        if self._connection._sock is not None:
            return False
        self._connection.connect()
        return True

    def send(self, commands: Sequence[Command]) -> None:
        """Send commands, in one piece; each has a reply to `read`."""
        packed = b"".join(map(pack_command, commands))
        try:
            self._connection.send_packed_command([packed], check_health=False)
        except BaseException:
            self.drop()
            raise

    def read(self, **options: Any) -> Any:
        """Read the next reply."""
        try:
            return self._connection.read_response(**options)
        except ResponseError:
            raise
        except BaseException:
            self.drop()
            raise

    def has_reply(self) -> bool:
        """Whether a reply is there already."""
        return bool(self._connection.can_read(timeout=0))

    def ask(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands and read their replies; one that Redis refused is its error."""
        self.open()
        self.send(commands)
        replies: list[Any] = []
        for _ in commands:
            try:
                replies.append(self.read())
            except ResponseError as error:
                replies.append(error)
        return replies

    def is_fresh(self) -> bool:
        """Whether it may be used again: nothing has come that nobody asked for, such as the end of the connection.

        It is not looked at within a second of its use: then a server may have gone during any command.
        """
        if self._connection is None or time.monotonic() - self._used_at < _FRESH_SECONDS:
            return self._connection is not None
        try:
            return not self._connection.can_read(timeout=0)
        except (RedisError, OSError):
            return False

    def run(self, scripts: Sequence[tuple[Any, Sequence[Any], Sequence[Any]]]) -> list[Any]:
        """Run scripts with keys and arguments, in one round trip; an unknown one is loaded, and run last."""
        commands = [("EVALSHA", script.sha, len(keys), *keys, *args) for script, keys, args in scripts]
        replies = self.ask(commands)
        for at, reply in enumerate(replies):
            if isinstance(reply, NoScriptError):
                replies[at] = self.ask([("SCRIPT", "LOAD", scripts[at][0].script), commands[at]])[1]
        self._used_at = time.monotonic()
        return replies

    def drop(self) -> None:
        """Close the connection; the next use opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()


class Lines:
    """Lines that threads borrow, as many as call at once; in a forked child it begins anew.

    Args:
        pool: Makes the connections.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._pid = os.getpid()
        self._idle: deque[Line] = deque()

    def run(self, script: Any, keys: Sequence[Any], args: Sequence[Any]) -> Any:
        """Run a script; raises what redis-py raises."""
        line = self._borrowed()
        (reply,) = line.run([(script, keys, args)])
        self._idle.append(line)
        if isinstance(reply, Exception):
            raise reply
        return reply

    def drop(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            self._idle.pop().drop()

    def _borrowed(self) -> Line:
        if self._pid != os.getpid():
            self._pid, self._idle = os.getpid(), deque()
        try:
            line = self._idle.pop()
        except IndexError:
            return Line(self._pool)
        if not line.is_fresh():
            line.drop()
        return line
