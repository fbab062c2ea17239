"""asyncio: tasks with traces of their own, and threads that tasks hand work to."""

import asyncio

from py_zipkin.zipkin import zipkin_span

from kombu_zipkin.tracing import Tracer
from tests.processes.subjects.work import do_steps, make_tracer

TASKS, TRACES = 40, 10


async def request(tracer: Tracer, mark: str) -> None:
    """Make one trace, giving way to the other tasks inside every span."""
    with tracer.root("request") as root:
        root.tag("mark", mark)
        await asyncio.sleep(0)
        with tracer.child("step") as step:
            step.tag("mark", mark)
            await asyncio.sleep(0.001)
            with zipkin_span("subject", span_name="detail", binary_annotations={"mark": mark}):
                await asyncio.sleep(0)


async def request_in_thread(tracer: Tracer, mark: str) -> None:
    """Make one trace whose work is done by a thread."""
    with tracer.root("request") as root:
        root.tag("mark", mark)
        await asyncio.to_thread(do_steps, tracer, mark)


async def client(tracer: Tracer, who: str) -> None:
    """Make traces one after another."""
    for number in range(TRACES):
        await (request_in_thread if number % 5 == 0 else request)(tracer, f"{who}.{number}")


async def main() -> None:
    """Run the tasks to their end."""
    tracer, _ = make_tracer()
    await asyncio.gather(*(client(tracer, f"task-{number}") for number in range(TASKS)))


if __name__ == "__main__":
    asyncio.run(main())
