"""rq: its SimpleWorker, without a fork for each job; nothing is kept of a job that succeeded."""

import logging

import redis
from peer import run, url
from rq import Queue, SimpleWorker
from rq_task import noop

connection = redis.Redis.from_url(url())
queue = Queue(connection=connection)


def work() -> None:
    """Run the worker, quietly."""
    SimpleWorker([queue], connection=connection).work(logging_level=logging.ERROR)


if __name__ == "__main__":
    run(lambda number: queue.enqueue(noop, number, result_ttl=0), work)
