"""The Lua scripts beside this file, and the rights that they need."""

import re
from importlib.resources import files
from typing import Any, Final

from kombu_zipkin.errors import StreamUnavailable
from kombu_zipkin.spans.client import Client
from kombu_zipkin.spans.keys import StreamKeys

_PARTS: Final = {name: ("letters", name) for name in ("settle", "replay", "purge")}
_COMMAND: Final = re.compile(r"redis\.call\('([A-Z]+)'(?:, '(GROUPS|DELCONSUMER)')?")


class Scripts:
    """Some scripts of one client. Before the first runs, every command in them is tried on a scratch key.

    A script does not roll back: a user who lacks a right in the middle of one would leave books that do not close.

    Args:
        client: Runs them.
        keys: The stream's keys.
        names: Of the files, without ``.lua``.
    """

    def __init__(self, client: Client, keys: StreamKeys, *names: str) -> None:
        texts = {name: "".join(map(_read, _PARTS.get(name, (name,)))) for name in names}
        self._scripts = {name: client.register_script(text) for name, text in texts.items()}
        self._check = client.register_script(_read("check"))
        self._commands = sorted({_name(*found) for text in texts.values() for found in _COMMAND.findall(text)})
        self._keys = keys
        self._checked = False

    def run(self, name: str, keys: list[str], args: list[Any]) -> Any:
        """Run a script.

        Raises:
            StreamUnavailable: This user lacks the right to run a command in one of the scripts.
            redis.RedisError: Redis did not answer, or refused.
        """
        if not self._checked:
            self._try_commands()
            self._checked = True
        return self._scripts[name](keys=keys, args=args)

    def _try_commands(self) -> None:
        lacking: Any = self._check(keys=[self._keys.check], args=["DEL", *self._commands])
        if lacking:
            commands = ", ".join(command.decode() for command in lacking)
            raise StreamUnavailable(
                f"use {self._keys.stream}: the Redis user may not run {commands}; grant it as docs/operations.md shows"
            )


def _read(name: str) -> str:
    return (files("kombu_zipkin.spans") / f"{name}.lua").read_text("utf-8")


def _name(command: str, subcommand: str) -> str:
    return f"{command} {subcommand}".strip()
