"""Somebody's own kombu code: takes messages, writes their numbers into a file, acknowledges."""

import os
import sys
from pathlib import Path
from typing import Any

import kombu

QUEUE = kombu.Queue("orders", kombu.Exchange(""), routing_key="orders")
LEASE_SECONDS = 5


def connect(url: str, transport: str) -> kombu.Connection:
    """Connect with stock kombu's transport or with ours; nothing else differs."""
    options = {"visibility_timeout": LEASE_SECONDS}
    if transport == "stock":
        return kombu.Connection(url, transport_options=options)
    return kombu.Connection(url, transport="kombu_zipkin.broker:Transport", transport_options=options)


def main(url: str, transport: str, folder: str) -> None:
    """Consume until killed."""
    file = os.open(Path(folder) / f"{os.getpid()}", os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def handle(message: Any) -> None:
        os.write(file, f"{message.payload['n']}\n".encode())
        message.ack()

    with connect(url, transport) as connection:
        consumer = connection.Consumer([QUEUE], on_message=handle, prefetch_count=20, accept=["json"])
        with consumer:
            while True:
                try:
                    connection.drain_events(timeout=1)
                except TimeoutError:
                    continue


if __name__ == "__main__":
    main(*sys.argv[1:])
