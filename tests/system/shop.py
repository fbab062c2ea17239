"""Somebody's own tasks."""

from kombu_zipkin.jobs import Retry, task


@task(retry=Retry(limit=5))
def charge(order: int) -> str:
    """Charge an order."""
    return f"order {order} charged"
