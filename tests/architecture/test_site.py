"""The documentation site is built without a warning, whole, and of nothing from elsewhere."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.process import ROOT

FACES = ("broker", "jobs", "messaging", "relay", "spans", "tracing", "zipkin")
NOT_OURS = {"tracing": {"Kind", "Span"}}  # py_zipkin's


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly: a broken link, a page that no menu names, an unknown name end it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return folder


@pytest.mark.parametrize("face", FACES)
def test_every_public_name_is_in_the_reference(site: Path, face: str) -> None:
    """With an anchor to link to."""
    page = (site / "reference" / f"{face}.html").read_text()
    anchors = set(re.findall(rf'id="kombu_zipkin\.{face}\.(\w+)"', page))
    public = set(importlib.import_module(f"kombu_zipkin.{face}").__all__)
    assert anchors >= public - NOT_OURS.get(face, set())


def test_every_command_is_in_the_reference(site: Path) -> None:
    """With its options and examples."""
    page = (site / "command_line.html").read_text()
    for command in ("relay", "worker", "post", "trace", "verify", "spans dead replay", "jobs dead purge", "doctor"):
        assert f"kombu-zipkin {command}" in page
    assert "<p>Example:</p><pre><code>kombu-zipkin post" in page


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    """No fonts, no scripts, no counters."""
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        text = page.read_text()
        assert not re.findall(r'<(?:script|img|iframe|source)[^>]+(?:src|srcset)="(?:https?:)?//', text), page.name
        assert not re.findall(r'<link[^>]+rel="(?:stylesheet|preconnect)"[^>]+href="(?:https?:)?//', text), page.name


def test_the_first_page_is_the_readme(site: Path) -> None:
    """Its links lead to pages, its pictures are there."""
    page = (site / "index.html").read_text()
    assert 'href="tour.html"' in page
    for picture in re.findall(r'src="(pictures/[^"]+)"', page):
        assert (site / picture).is_file()
