"""Publish in a parent and in its forked children, by one publisher; prints how many jobs and ids lie in the queue."""

import json
import os
import sys

import redis

from kombu_zipkin.jobs import JobPublisher, task
from kombu_zipkin.tracing import SpanRecorder, Tracer

CHILDREN, JOBS = 3, 100


@task
def noop(n: int) -> None:
    """Do nothing."""


def main() -> None:
    """Publish before, in, and after the forks."""
    url, namespace = sys.argv[1:3]
    publisher = JobPublisher(url, Tracer("subject", SpanRecorder(), host="10.0.0.1"), namespace=namespace)
    publisher.catalogue.announce([noop], "subject")
    pids = list[int]()
    for number in range(JOBS):
        publisher.publish("noop", n=number)
        if number % 30 == 10 and len(pids) < CHILDREN:
            pid = os.fork()
            if pid == 0:
                for each in range(JOBS):
                    publisher.publish("noop", n=each)
                os._exit(0)
            pids.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * CHILDREN
    with redis.Redis.from_url(url) as client:
        messages = client.lrange(f"{namespace}:jobs", 0, -1)
    ids = {json.loads(message)["properties"]["message_id"] for message in messages}
    print(f"{len(messages)} jobs, {len(ids)} ids")


if __name__ == "__main__":
    main()
