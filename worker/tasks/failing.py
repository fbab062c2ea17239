"""Jobs that fail: for good, or until it is enough."""

from typing import Annotated

from pydantic import Field

from kombu_zipkin.jobs import JobContext, Retry, task


@task
def fail(message: str = "as asked") -> None:
    """Fail; the job goes to the dead-letter queue.

    Args:
        message: What it fails with.
    """
    raise RuntimeError(message)


@task(retry=Retry(limit=5, first_ms=500, longest_ms=5000))
def flaky(context: JobContext, failures: Annotated[int, Field(ge=0, le=10)] = 2) -> str:
    """Fail some times, then succeed; up to five retries.

    Args:
        failures: How many attempts fail.
    """
    if context.attempt <= failures:
        raise RuntimeError(f"attempt {context.attempt} of {failures} that fail")
    return f"succeeded in attempt {context.attempt}"
