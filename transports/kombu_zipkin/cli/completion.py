"""``kombu-zipkin completion``: what a shell needs to complete commands, options and tasks."""

from typing import Final

import click
from click.shell_completion import CompletionItem, get_completion_class

from kombu_zipkin.cli.errors import WRONG_USE, fail
from kombu_zipkin.cli.web_app import WebApp
from kombu_zipkin.errors import KombuZipkinError

SHELLS: Final = ("bash", "zsh", "fish")
_PROGRAM: Final = "kombu-zipkin"
_VARIABLE: Final = "_KOMBU_ZIPKIN_COMPLETE"  # click's own name for it
_TASK_SECONDS: Final = 0.7


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that has a shell complete commands, options and the tasks of post.

    \b
    bash: add to ~/.bashrc    eval "$(kombu-zipkin completion bash)"
    zsh:  add to ~/.zshrc     eval "$(kombu-zipkin completion zsh)"
    fish: kombu-zipkin completion fish > ~/.config/fish/completions/kombu-zipkin.fish

    \b
    Example:
        eval "$(kombu-zipkin completion bash)"
    """
    found = get_completion_class(shell)
    if found is None:
        fail(f"click cannot write a script for {shell}", WRONG_USE)
    print(found(ctx.find_root().command, {}, _PROGRAM, _VARIABLE).source())


def tasks_of(url: str, incomplete: str) -> list[CompletionItem]:
    """Return the tasks that can be posted, for a shell; none where the web app does not answer at once."""
    try:
        tasks = WebApp(url, timeout=_TASK_SECONDS).get("/api/tasks")["tasks"]
        return [
            CompletionItem(task["name"], help=(task["doc"] or "").strip().split("\n")[0])
            for task in tasks
            if task["name"].startswith(incomplete)
        ]
    except (KombuZipkinError, KeyError, TypeError, AttributeError):
        return []
