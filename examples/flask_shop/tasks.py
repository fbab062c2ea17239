"""The shop's tasks, run by ``kombu-zipkin worker examples.flask_shop.tasks``."""

from kombu_zipkin.jobs import Retry, task


@task(retry=Retry(limit=3, first_ms=200))
def charge(order: int) -> str:
    """Charge an order.

    Args:
        order: Its number.
    """
    return f"order {order} charged"
