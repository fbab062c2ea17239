"""What the ``spans`` commands read: which Redis, which stream."""

from collections.abc import Callable
from typing import Any, TypeVar

import click
from pydantic import Field

from kombu_zipkin.runtime import ProgramSettings
from kombu_zipkin.spans import DEFAULT_STREAM

_F = TypeVar("_F", bound=Callable[..., Any])


class SpansSettings(ProgramSettings):
    """The stream to look at."""

    redis_url: str = Field("redis://localhost:6379/0", description="The Redis that holds the span stream.")
    spans_stream: str = Field(DEFAULT_STREAM, min_length=1, description="Name of the span stream.")


def redis_options(command: _F) -> _F:
    """Give a command the options that say which stream."""
    stream = click.option("--stream", "spans_stream", metavar="NAME", help="Name of the span stream [SPANS_STREAM].")
    url = click.option("--redis-url", metavar="URL", help="The Redis that holds the span stream [REDIS_URL].")
    return url(stream(command))
