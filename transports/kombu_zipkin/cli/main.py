"""The commands of ``kombu-zipkin``."""

import importlib
import sys
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from kombu_zipkin.cli.errors import INTERRUPTED, fail

_COMMANDS: Final = {
    "relay": "Carry spans from Redis to Zipkin, until SIGTERM.",
    "worker": "Run the jobs of your tasks, until SIGTERM.",
    "post": "Post a job, or many, through the web app.",
    "trace": "Draw a trace, found by its id or by a job's.",
    "verify": "Post a job and check its whole trace.",
    "spans": "Look after the span stream: its books, its dead letters.",
    "jobs": "Look at jobs, and have one run again.",
    "doctor": "Look at a whole set-up; say what is wrong.",
    "completion": "Print what your shell needs to complete.",
}

_EXIT_CODES: Final = """\b
Exit codes:
    0    done
    1    it failed, or a check did not hold
    2    wrong use, or a wrong setting
    130  interrupted by Ctrl-C (relay and worker stop in good order, with 0; --watch just ends)
"""

_EXAMPLE: Final = """\b
Example:
    kombu-zipkin post do_stuff seconds=0.1 --wait
    kombu-zipkin COMMAND --help
"""


class _Commands(click.Group):
    """Imports a command when it is run: help and completion of the first word need none of them, and take no second."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of use."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; of an unknown name None, and then all are imported, to name the nearest."""
        for name in (cmd_name,) if cmd_name in _COMMANDS else _COMMANDS:
            if name not in self.commands:
                self.add_command(getattr(importlib.import_module(f"kombu_zipkin.cli.{name}"), name))
        return self.commands.get(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the commands do."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands, and the options, that begin so."""
        names = [CompletionItem(name, help=does) for name, does in _COMMANDS.items() if name.startswith(incomplete)]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; Ctrl-C ends it with one line."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):
            if sys.stderr.isatty():
                print(file=sys.stderr)  # after the terminal's ^C
            fail("interrupted", INTERRUPTED)


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]}, epilog=_EXAMPLE + "\n" + _EXIT_CODES
)
@click.version_option(package_name="kombu-zipkin", prog_name="kombu-zipkin")
def commands() -> None:
    """Distributed tracing through a message queue: kombu on Redis, spans over a Redis Stream to Zipkin.

    Every setting is an environment variable too (REDIS_URL, ZIPKIN_URL, ...), read from .env as well; an option on
    the command line wins. Commands that print take --json: one document on standard output, all else on standard
    error. NO_COLOR is respected. Your shell completes all of it: kombu-zipkin completion --help
    """
