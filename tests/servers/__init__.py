"""Real servers and real programs for the tests: a Redis, a Zipkin, the system's processes."""

from tests.servers.mariadb import MariaServer, find_mariadb
from tests.servers.process import Process
from tests.servers.programs import Programs
from tests.servers.rabbitmq import RabbitServer, find_rabbitmq
from tests.servers.redis import VARIANTS, RedisServer, find_variant
from tests.servers.waiting import wait_until
from tests.servers.zipkin import ZipkinServer

__all__ = [
    "VARIANTS",
    "MariaServer",
    "Process",
    "Programs",
    "RabbitServer",
    "RedisServer",
    "ZipkinServer",
    "find_mariadb",
    "find_rabbitmq",
    "find_variant",
    "wait_until",
]
