"""Commands as a person types them, run in this process."""

from collections.abc import Iterator

import click
from click.testing import CliRunner, Result

from kombu_zipkin.cli.main import commands


def typed(*argv: str, answer: str = "", **env: str) -> Result:
    """Run a command to its end; standard output and standard error are told apart."""
    return CliRunner().invoke(commands, list(argv), input=answer, env=env, prog_name="kombu-zipkin")


def tree(
    command: click.Command = commands, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command and group with the words that lead to it."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from tree(below, (*path, name))
