"""The console script ``kombu-zipkin``."""

import io
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from wsgiref.types import WSGIApplication

    from kombu_zipkin.tracing import Reporter


def main() -> None:
    """Run the console script; without the extra it says how to get it."""
    try:
        import click as _click  # noqa: F401 - only whether it is there
        import pydantic as _pydantic  # noqa: F401
    except ImportError as error:
        sys.exit(f"kombu-zipkin: the command line needs {error.name}: pip install 'kombu-zipkin[jobs]'")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show is no reason to fail
    try:
        from kombu_zipkin.cli.main import commands

        commands(prog_name="kombu-zipkin")
    except KeyboardInterrupt:
        print("kombu-zipkin: interrupted", file=sys.stderr)  # so early that no command has begun
        sys.exit(130)


def run_worker_program(
    modules: "Sequence[str]", further_pages: "Callable[[Reporter], Mapping[str, WSGIApplication]] | None" = None
) -> None:
    """Run a worker with the tasks of some modules until SIGTERM, as ``kombu-zipkin worker`` does.

    Args:
        modules: Where the tasks are.
        further_pages: Makes pages to serve beside ``/health``, by path prefix; given the spans' reporter.
    """
    from kombu_zipkin.cli.worker import run_worker

    run_worker(modules, {}, further_pages)


__all__ = ["main", "run_worker_program"]
