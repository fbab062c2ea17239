"""``python -m stack``: start everything, post a first job, run until Ctrl-C."""

import sys

import click
from rich.console import Console

from kombu_zipkin.errors import ConfigurationError
from kombu_zipkin.runtime import load, stop_on_signals
from stack.errors import StackError
from stack.lock import FolderLock
from stack.settings import StackSettings
from stack.start import Stack


@click.command()
@click.option("--verify", is_flag=True, help="Post one job, check its trace, stop everything: exit 0 if it was whole.")
def main(verify: bool) -> None:
    """Start Redis, Zipkin, web app, worker and relay on this machine, without Docker.

    Redis and Zipkin are found on this machine or fetched; REDIS_URL and ZIPKIN_URL use ones that run. A first job is
    posted and its trace checked. Ctrl-C stops everything.
    """
    console = Console(soft_wrap=True)
    try:
        settings = load(StackSettings)
        lock = FolderLock(settings.stack_data)
    except ConfigurationError as error:
        console.print(f"stack: {error}", markup=False)
        sys.exit(2)
    except StackError as error:
        console.print(f"stack: {error}", markup=False)
        sys.exit(1)
    sys.exit(run(Stack(settings, console), console, lock, verify=verify))


def run(stack: Stack, console: Console, lock: FolderLock, *, verify: bool) -> int:
    """Run a stack to its end; returns the exit code."""
    stop = stop_on_signals()
    code = 0
    try:
        stack.start(stop)
        if not stop.is_set():
            whole = stack.first_job()
            code = 0 if whole or not verify else 1
            stack.show_addresses()
            if not verify:
                console.print("  Ctrl-C ends everything.", highlight=False)
                stack.watch(stop)
    except StackError as error:
        console.print(f"stack: {error}", markup=False)
        code = 1
    finally:
        console.print("stack: stopping", markup=False)
        stack.close()
        lock.close()
    return code


if __name__ == "__main__":
    main()
