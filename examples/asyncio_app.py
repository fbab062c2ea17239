"""asyncio: coroutines that run at once, each with a trace of its own, and jobs posted without holding up the loop.

::

    kombu-zipkin worker examples.flask_shop.tasks
    python -m examples.asyncio_app 3
    kombu-zipkin relay
"""

import asyncio
import os
import sys

from kombu_zipkin.errors import KombuZipkinError
from kombu_zipkin.jobs import JobPublisher
from kombu_zipkin.spans import RedisStreamTransport
from kombu_zipkin.tracing import Tracer


async def take_order(number: int, tracer: Tracer, publisher: JobPublisher) -> None:
    """Check the stock, then have the order charged, in one trace whatever runs meanwhile."""
    with tracer.root("take order") as span:
        span.tag("order", str(number))
        with tracer.child("check stock"):
            await asyncio.sleep(0.01)
        job = await asyncio.to_thread(publisher.publish, "charge", order=number)  # the thread keeps the trace
        print(f"order {number}: job {job.id}, trace {job.trace_id}", flush=True)


async def main(count: int) -> None:
    """Take so many orders at once."""
    url = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
    spans = RedisStreamTransport(url, stream=os.environ.get("SPANS_STREAM", "zipkin-spans"))
    tracer = Tracer("shop", spans)
    publisher = JobPublisher(url, tracer, namespace=os.environ.get("JOBS_NAMESPACE", "kombu-zipkin"))
    try:
        await asyncio.gather(*(take_order(number, tracer, publisher) for number in range(count)))
    finally:
        await asyncio.to_thread(publisher.close)
        await asyncio.to_thread(spans.close, 5.0)


if __name__ == "__main__":
    try:
        asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
    except KombuZipkinError as error:
        sys.exit(f"asyncio_app: {error}")
