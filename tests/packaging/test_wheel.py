"""The wheel, installed by itself, does what the README says."""

import os
import re
import subprocess
import sys
import textwrap
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from kombu_zipkin.spans import read_ledger
from tests.servers import Process, RedisServer, ZipkinServer, wait_until
from tests.servers.process import ROOT
from tests.servers.programs import request
from tests.servers.waiting import free_port


class Installed:
    """A virtual environment with the wheel and nothing of this checkout.

    Args:
        folder: Where it is made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        venv.create(folder, with_pip=True)
        self._run(["-m", "pip", "--quiet", "wheel", "--no-deps", "--wheel-dir", str(folder / "dist"), str(ROOT)])
        (self.wheel,) = (folder / "dist").glob("*.whl")
        self.install("")

    def install(self, extra: str) -> None:
        """Install the wheel with an extra, such as ``[jobs]``."""
        constraint = ["--constraint", str(ROOT / "requirements.lock")]
        self._run(["-m", "pip", "--quiet", "install", *constraint, f"{self.wheel}{extra}"])

    def python(self, script: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
        """Run a script; warnings are errors."""
        return self._run(["-W", "error", "-c", script], cwd)

    def command(self, name: str) -> str:
        """Return the path of a console script."""
        return str(self._folder / "bin" / name)

    def _run(self, argv: list[str], cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        command = [self.command("python"), *argv]
        done = subprocess.run(
            command, env=environment, cwd=cwd or self._folder, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel's own environment."""
    return Installed(tmp_path_factory.mktemp("installed"))


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project with the README's tasks in ``shop/tasks.py``."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text("")
    (tmp_path / "shop" / "tasks.py").write_text(readme_block("def charge("))
    return tmp_path


@pytest.fixture
def programs(installed: Installed, shop: Path, own_redis: RedisServer, zipkin: ZipkinServer) -> Iterator[int]:
    """The README's worker and relay; yields the worker's port."""
    installed.install("[jobs]")
    worker_port, relay_port = str(free_port()), str(free_port())
    commands = [line for line in readme_commands() if line.startswith(("kombu-zipkin worker", "kombu-zipkin relay"))]
    running = []
    for command, port in zip(commands, (worker_port, relay_port), strict=True):
        words = at_servers(command, own_redis, zipkin).split()
        running.append(Process([installed.command(words[0]), *words[1:], "--port", port], cwd=shop))
    for process, port in zip(running, (worker_port, relay_port), strict=True):
        wait_until(lambda port=port: request(f"http://127.0.0.1:{port}/ready")[0] == 200, f"{process.output} ready")  # type: ignore[misc]
    yield int(worker_port)
    for process in running:
        assert process.stop() == 0
        process.close()


def readme_blocks() -> list[str]:
    """Return the README's Python blocks, in order."""
    return re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def readme_block(part: str) -> str:
    """Return the one block that holds a piece of text."""
    (block,) = [block for block in readme_blocks() if part in block]
    return block


def readme_commands() -> list[str]:
    """Return what the README tells to type."""
    return re.findall(r"^\$ (.*?)(?:\s+#.*)?$", (ROOT / "README.md").read_text(), re.MULTILINE)


def at_servers(text: str, redis: RedisServer, zipkin: ZipkinServer) -> str:
    """Put the tests' servers where the README names the usual ones."""
    return text.replace("redis://localhost", redis.url).replace("http://localhost:9411", zipkin.url)


def test_the_wheel_holds_the_library_alone(installed: Installed) -> None:
    """Typed, with its Lua scripts; no program and no test."""
    script = "import zipfile, sys; print('\\n'.join(zipfile.ZipFile(sys.argv[1]).namelist()))"
    listed = subprocess.run([sys.executable, "-c", script, installed.wheel], capture_output=True, text=True, check=True)
    names = listed.stdout.split()
    assert {name.split("/")[0] for name in names} == {"kombu_zipkin", names[-1].split("/")[0]}
    assert {"kombu_zipkin/py.typed", "kombu_zipkin/spans/append.lua", "kombu_zipkin/jobs/due.lua"} <= set(names)


def test_the_base_alone_traces_and_says_what_the_rest_needs(
    installed: Installed, own_redis: RedisServer, tmp_path: Path
) -> None:
    """The README's first blocks need no extra but Flask; commands and tasks name theirs."""
    blocks = [readme_block("instrument_kombu(tracer)"), readme_block("with zipkin_span("), readme_block("SpanRecorder")]
    script = "\n".join(blocks).replace("redis://localhost", own_redis.url)
    installed.python(script + "\nassert spans.close().acknowledged == 1", tmp_path)
    assert read_ledger(own_redis.url).waiting == 1
    missing = textwrap.dedent(
        """
        import subprocess, sys
        for argv in (["-c", "import kombu_zipkin.jobs"], ["-c", "from kombu_zipkin.cli import main; main()"]):
            done = subprocess.run([sys.executable, *argv], capture_output=True, text=True)
            assert done.returncode == 1 and "pip install 'kombu-zipkin[" in done.stderr.splitlines()[-1], done.stderr
        """
    )
    installed.python(missing, tmp_path)


def test_the_readme_s_blocks_make_a_trace_from_publisher_to_worker(
    installed: Installed, programs: int, shop: Path, own_redis: RedisServer, zipkin: ZipkinServer
) -> None:
    """Every block as it stands, with the README's worker and relay; only the servers' addresses differ."""
    constraint = ["--constraint", str(ROOT / "requirements.lock")]
    installed._run(["-m", "pip", "--quiet", "install", *constraint, "flask"])
    script = "\n".join(block for block in readme_blocks() if "def charge(" not in block)
    done = installed.python(at_servers(script, own_redis, zipkin) + "\nspans.close()", shop)
    trace_id = done.stdout.split()[-1]
    tree = zipkin.wait_for_trace(trace_id, 3)
    names = [(node.service, node.name, node.kind) for _, node in tree.walk()]
    assert names == [
        ("shop", "publish charge", "PRODUCER"),
        ("redis", "wait in jobs", ""),
        ("worker", "process charge", "CONSUMER"),
    ]
