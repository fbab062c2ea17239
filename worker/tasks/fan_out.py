"""A job that posts jobs: one trace, a branch for each."""

from typing import Annotated

from pydantic import Field

from kombu_zipkin.jobs import JobContext, task


@task
def fan_out(context: JobContext, n: Annotated[int, Field(ge=0, le=100)] = 3) -> list[str]:
    """Post n short jobs, and return their ids.

    Args:
        n: How many.
    """
    return [context.publisher.publish("do_stuff", seconds=0.1).id for _ in range(n)]
