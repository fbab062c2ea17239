"""A real RabbitMQ with a folder of its own."""

import os
import shutil
from pathlib import Path

import kombu

from tests.servers.process import Process
from tests.servers.waiting import free_port, wait_until

_PLACES = ("/usr/lib/rabbitmq/bin/rabbitmq-server",)  # Debian's; the one on PATH there insists on its own user


def find_rabbitmq() -> str | None:
    """Return RabbitMQ's server; None where there is none."""
    return next((place for place in _PLACES if Path(place).exists()), None) or shutil.which("rabbitmq-server")


class RabbitServer:
    """A RabbitMQ node on free ports.

    Args:
        folder: Of its data and logs.
    """

    def __init__(self, folder: Path) -> None:
        server = find_rabbitmq()
        assert server is not None, "there is no rabbitmq-server"
        self.port, distribution = free_port(), free_port()
        env = {
            "RABBITMQ_NODENAME": f"test-{os.getpid()}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "logs"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "ERL_EPMD_PORT": str(free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "HOME": str(folder),
        }
        self._process = Process([server], env)
        wait_until(self._answers, "RabbitMQ to answer", seconds=60)

    @property
    def url(self) -> str:
        """Its address."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def close(self) -> None:
        """End it."""
        self._process.stop(30)
        self._process.close()

    def _answers(self) -> bool:
        assert self._process.is_running, self._process.output
        try:
            with kombu.Connection(self.url, connect_timeout=2) as connection:
                connection.connect()
        except OSError:
            return False
        return True
