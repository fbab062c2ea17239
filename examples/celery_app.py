"""Celery, traced: each task's message around its publish, each task's body by two signals.

Worker: ``REDIS_URL=… celery -A examples.celery_app worker``; and in another process ``charge.delay(7)``.
"""

import os
from contextlib import AbstractContextManager
from typing import Any

from celery import Celery
from celery.signals import task_postrun, task_prerun, worker_process_shutdown
from py_zipkin.zipkin import zipkin_span

from kombu_zipkin.messaging import outgoing
from kombu_zipkin.spans import RedisStreamTransport
from kombu_zipkin.tracing import ActiveSpan, Kind, Tracer, current_trace, extract

REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379/0")

spans = RedisStreamTransport(REDIS_URL, stream=os.environ.get("SPANS_STREAM", "zipkin-spans"))
tracer = Tracer("shop", spans)
open_spans: dict[str, tuple[AbstractContextManager[ActiveSpan], ActiveSpan]] = {}


class TracedCelery(Celery):  # type: ignore[misc] # Celery has no types
    """Celery whose every way to send a task, ``delay``, retries, chains and beat too, is a PRODUCER span."""

    def send_task(self, name: str, *args: Any, headers: dict[str, Any] | None = None, **options: Any) -> Any:
        """Send a task inside the span, its context in the headers; heartbeats and replies do not come by here."""
        with tracer.child(f"publish {name}", kind=Kind.PRODUCER, remote="redis") as span:
            return super().send_task(name, *args, headers={**(headers or {}), **outgoing(span.context)}, **options)


app = TracedCelery("shop", broker=REDIS_URL)
app.conf.broker_connection_retry_on_startup = True
app.conf.broker_transport = os.environ.get("BROKER_TRANSPORT")  # kombu_zipkin.broker:Transport loses no task


@task_prerun.connect
def begin(task_id: str, task: Any, **_: Any) -> None:
    """Open the CONSUMER span; Celery puts the message's headers on the request. An eager task has none."""
    context = extract(vars(task.request)) or current_trace()
    root = tracer.root(f"process {task.name}", kind=Kind.CONSUMER, context=context, remote="redis")
    open_spans[task_id] = (root, root.__enter__())


@task_postrun.connect
def end(task_id: str, state: str | None = None, retval: Any = None, **_: Any) -> None:
    """End it, failed if the task is; without a state its process is about to end."""
    root, span = open_spans.pop(task_id)
    if state in ("FAILURE", None):
        span.fail(retval or "the task ended its process")
    root.__exit__(None, None, None)


@worker_process_shutdown.connect
def leave(**_: Any) -> None:
    """Send what waits in a prefork child, which leaves without Python's own end, and is killed soon after."""
    spans.close(2.0)


@app.task
def charge(order: int) -> str:
    """Charge an order; plain py_zipkin inside is a child."""
    with zipkin_span("shop", span_name="ask the bank"):
        if order < 0:
            raise ValueError("no such order")
    return f"order {order} charged"
