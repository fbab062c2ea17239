"""A real MariaDB with Zipkin's tables."""

import io
import os
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Final

from stack.settings import StackSettings
from stack.zipkin import find_jar
from tests.servers.process import Process
from tests.servers.waiting import free_port, wait_until

_DATABASE: Final = "zipkin"
_SCHEMA: Final = "BOOT-INF/lib/zipkin-storage-mysql-v1-3.6.1.jar"


def find_mariadb() -> str | None:
    """Return MariaDB's server; None where there is none."""
    return shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin:/usr/local/sbin")


class MariaServer:
    """A MariaDB on a free port of the loopback address, without passwords; may be stopped.

    Args:
        folder: Of its data.
    """

    def __init__(self, folder: Path) -> None:
        server = find_mariadb()
        assert server is not None, "there is no mariadbd"
        self.port, self._socket = free_port(), folder / "socket"
        data = f"--datadir={folder / 'data'}"
        user = ["--user=root"] if os.geteuid() == 0 else []
        install = ["mariadb-install-db", "--no-defaults", data, "--auth-root-authentication-method=normal", *user]
        subprocess.run(install, check=True, capture_output=True, timeout=60)
        where = [f"--port={self.port}", "--bind-address=127.0.0.1", f"--socket={self._socket}"]
        grants = ["--skip-grant-tables", "--skip-networking=0"]
        self._process = Process([server, "--no-defaults", data, *where, *grants, *user])
        wait_until(self._answers, "MariaDB to answer", seconds=60)
        self._sql(f"CREATE DATABASE {_DATABASE}")
        self._sql(_schema(), _DATABASE)

    @property
    def zipkin_env(self) -> dict[str, str]:
        """What a Zipkin is to be told to use it."""
        return {
            "STORAGE_TYPE": "mysql",
            "MYSQL_HOST": "127.0.0.1",
            "MYSQL_TCP_PORT": str(self.port),
            "MYSQL_USER": "zipkin",
            "MYSQL_PASS": "zipkin",
            "MYSQL_DB": _DATABASE,
        }

    def close(self) -> None:
        """End it."""
        if self._process.is_running:
            self._process.stop(30)
        self._process.close()

    def _answers(self) -> bool:
        assert self._process.is_running, self._process.output
        return self._client("SELECT 1").returncode == 0

    def _sql(self, text: str, *database: str) -> None:
        done = self._client(text, *database)
        assert done.returncode == 0, done.stderr

    def _client(self, text: str, *database: str) -> "subprocess.CompletedProcess[bytes]":
        argv = ["mariadb", "--no-defaults", f"--socket={self._socket}", *database]
        return subprocess.run(argv, input=text.encode(), capture_output=True, timeout=30, check=False)


def _schema() -> str:
    """Return the tables' definitions, which lie in a jar inside Zipkin's jar."""
    jar = find_jar(StackSettings().stack_cache, os.environ.get("STACK_MAVEN_URL"), lambda fetched, total: None)
    with zipfile.ZipFile(jar) as outer, zipfile.ZipFile(io.BytesIO(outer.read(_SCHEMA))) as inner:
        return inner.read("mysql.sql").decode()
