"""Celery, traced: what it publishes through kombu's layer, a task's body by two signals.

Worker: ``REDIS_URL=… celery -A examples.celery_app worker``; and in another process ``charge.delay(7)``.
"""

import os
from contextlib import AbstractContextManager
from typing import Any

from celery import Celery
from celery.signals import task_postrun, task_prerun, worker_process_shutdown
from py_zipkin.zipkin import zipkin_span

from kombu_zipkin.messaging import instrument_kombu
from kombu_zipkin.spans import RedisStreamTransport
from kombu_zipkin.tracing import NEVER, ActiveSpan, Kind, RuleSampler, Tracer, extract

REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379/0")

app = Celery("shop", broker=REDIS_URL)
app.conf.broker_connection_retry_on_startup = True

spans = RedisStreamTransport(REDIS_URL, stream=os.environ.get("SPANS_STREAM", "zipkin-spans"))
celerys_own = RuleSampler({"publish worker.*": NEVER, "publish task.*": NEVER, "publish celery.pidbox": NEVER})
tracer = Tracer("shop", spans, sampler=celerys_own)  # heartbeats and gossip are no work worth a trace
instrument_kombu(tracer, consumers=False)  # a consumer of Celery's only passes the message on to its pool

open_spans: dict[str, tuple[AbstractContextManager[ActiveSpan], ActiveSpan]] = {}


@task_prerun.connect
def begin(task_id: str, task: Any, **_: Any) -> None:
    """Open the CONSUMER span; Celery puts the message's headers on the request."""
    context = extract(vars(task.request))
    root = tracer.root(f"process {task.name}", kind=Kind.CONSUMER, context=context, remote="redis")
    open_spans[task_id] = (root, root.__enter__())


@task_postrun.connect
def end(task_id: str, state: str | None = None, retval: Any = None, **_: Any) -> None:
    """End it, failed if the task is."""
    root, span = open_spans.pop(task_id)
    if state == "FAILURE":
        span.fail(retval)
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
