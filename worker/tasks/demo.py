"""The worker's half of the 2017 demo: what ``service1`` did for ``index``."""

from typing import Annotated

from py_zipkin.zipkin import zipkin_span
from pydantic import Field

from kombu_zipkin.jobs import task
from worker.tasks.pause import pause


@task(span_name="index_service1")
def demo() -> str:
    """The 2017 demo: do some stuff for the web app."""
    service1_do_stuff()
    return "OK"


@task
def do_stuff(seconds: Annotated[float, Field(ge=0, le=600)] = 0.5) -> str:
    """Do nothing in particular for some seconds.

    Args:
        seconds: How long.
    """
    with zipkin_span("worker", span_name="do_stuff"):
        pause(seconds)
    return f"did stuff for {seconds:g} s"


@zipkin_span("worker", span_name="service1_do_stuff")
def service1_do_stuff() -> None:
    """Plain py_zipkin, as in the post: a child of whatever span is open."""
    pause(0.1)
