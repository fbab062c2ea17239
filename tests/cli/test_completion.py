"""What a shell completes."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.typed import typed
from tests.servers import Programs
from tests.servers.process import ROOT


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with the console script."""
    script = tmp_path / "kombu-zipkin"
    script.write_text(f"#!{sys.executable}\nfrom kombu_zipkin.cli import main\nmain()\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return tmp_path


def completed(folder: Path, *words: str, **env: str) -> list[str]:
    """Have a real bash complete the last word, as TAB does; returns what it offers."""
    asked = """
        eval "$(kombu-zipkin completion bash)"
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        "$(complete -p kombu-zipkin | sed 's/.*-F \\([^ ]*\\).*/\\1/')" kombu-zipkin "${!#}"
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    path = os.pathsep.join((str(folder), os.environ["PATH"]))
    done = subprocess.run(
        ["bash", "--norc", "-c", asked, "bash", "kombu-zipkin", *words],
        env={**os.environ, "PATH": path, "PYTHONPATH": f"{ROOT / 'transports'}{os.pathsep}{ROOT}", **env},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completes_commands_options_and_values(installed: Path) -> None:
    """From the script that it sources; a command that is not meant is not imported."""
    assert completed(installed, "sp") == ["spans"]
    assert completed(installed, "jobs", "dead", "re") == ["replay"]
    assert completed(installed, "spans", "status", "--wat") == ["--watch"]
    assert completed(installed, "jobs", "list", "--state", "d") == ["dead_lettered"]


def test_bash_completes_the_tasks_that_can_be_posted(installed: Path, system: Programs) -> None:
    """As the web app knows them; nothing, and no word about it, where it is away."""
    assert completed(installed, "post", "fa", KOMBU_ZIPKIN_URL=system.url) == ["fail", "fan_out"]
    assert completed(installed, "post", "--url", system.url, "do") == ["do_stuff"]
    assert completed(installed, "post", "fa", KOMBU_ZIPKIN_URL="http://127.0.0.1:1") == []
    assert completed(installed, "post", "fa", KOMBU_ZIPKIN_URL="nonsense") == []


@pytest.mark.parametrize(("shell", "line"), [("zsh", "#compdef kombu-zipkin"), ("fish", "complete --no-files")])
def test_other_shells_get_their_script(shell: str, line: str) -> None:
    """And the help says, a line each, where it belongs."""
    script = typed("completion", shell).stdout
    assert line in script
    assert "_KOMBU_ZIPKIN_COMPLETE" in script
    assert f"kombu-zipkin completion {shell}" in typed("completion", "--help").stdout
    assert typed("completion", "tcsh").exit_code == 2
