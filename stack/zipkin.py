"""Zipkin's server for the stack: its jar, from the cache or fetched, and how to start it."""

import hashlib
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final
from urllib.parse import urlsplit

from maven_artifact import Artifact, Downloader

from stack.errors import Missing

VERSION: Final = "3.6.1"
SHA256: Final = "d8326e0ed4f43855dba81228f688554706e52578a7c782d9a90b73f8680654a1"
JAR_NAME: Final = f"zipkin-server-{VERSION}-exec.jar"

_SECONDS: Final = 30.0
_CHUNK_BYTES: Final = 256 * 1024

Progress = Callable[[int, int], None]
"""Told the bytes fetched so far and all there are, 0 when unknown."""


def find_jar(cache: Path | None, mirror: str | None, progress: Progress) -> Path:
    """Return Zipkin's jar, fetched if it is not in the cache; its SHA-256 is checked either way.

    Args:
        cache: Its folder; None for the user's.
        mirror: A Maven repository; None for the usual one.
        progress: Told of a download as it goes.

    Raises:
        Missing: It is not here and cannot be fetched.
    """
    jar = (cache or _user_cache()) / JAR_NAME
    if jar.is_file() and _sha256(jar) == SHA256:
        return jar
    address = artifact_address(mirror)
    try:
        jar.parent.mkdir(parents=True, exist_ok=True)
        _fetch(address, jar, progress)
    except (OSError, urllib.error.URLError, ValueError) as error:
        raise Missing(
            f"Zipkin is missing: {JAR_NAME} could not be fetched from {urlsplit(address).hostname}: {error}. With "
            f"network, start again; without, put the file into {jar.parent}, or set ZIPKIN_URL to a Zipkin that "
            "runs, or STACK_MAVEN_URL to a mirror"
        ) from error
    return jar


def artifact_address(mirror: str | None) -> str:
    """Return where the jar is, by its Maven coordinates io.zipkin:zipkin-server:3.6.1:exec."""
    artifact = Artifact("io.zipkin", "zipkin-server", VERSION, classifier="exec", extension="jar")
    downloader = Downloader(base=mirror) if mirror else Downloader()
    return str(downloader.resolver.uri_for_artifact(artifact))


def server_argv(java: Path, jar: Path, port: int) -> list[str]:
    """Return how to start Zipkin on the loopback address, with a heap to match its span limit."""
    listen = {"ip": "127.0.0.1", "port": str(port), "protocols[0]": "http"}
    arguments = [f"--armeria.ports[0].{name}={value}" for name, value in listen.items()]
    return [str(java), "-Xms64m", "-Xmx512m", "-XX:+ExitOnOutOfMemoryError", "-jar", str(jar), *arguments]


def server_env(web_url: str | None = None) -> dict[str, str]:
    """Return what Zipkin's server is told by its environment; its "View Logs" leads to a trace's jobs."""
    env = {"STORAGE_TYPE": "mem", "MEM_MAX_SPANS": "100000", "AUTOCOMPLETE_KEYS": "job.task"}
    return env if web_url is None else {**env, "ZIPKIN_UI_LOGS_URL": f"{web_url}/trace/{{traceId}}"}


def _user_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "kombu-zipkin"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch(address: str, jar: Path, progress: Progress) -> None:
    """Stream the jar into a temporary file beside its place, check it, then move it there in one step.

    Raises:
        OSError: The network or the disk failed.
        ValueError: What came is not the jar.
    """
    if urlsplit(address).scheme not in ("http", "https"):
        raise ValueError(f"expected an http address, got {address!r}")
    digest = hashlib.sha256()
    with (
        urllib.request.urlopen(address, timeout=_SECONDS) as response,  # noqa: S310 - the scheme is checked above
        _temporary(jar.parent) as file,
    ):
        total, fetched = int(response.headers.get("Content-Length") or 0), 0
        while chunk := response.read(_CHUNK_BYTES):
            file.write(chunk)
            digest.update(chunk)
            fetched += len(chunk)
            progress(fetched, total)
        if digest.hexdigest() != SHA256:
            raise ValueError(f"SHA-256 of the download: expected {SHA256}, got {digest.hexdigest()}")
        file.flush()
        Path(file.name).chmod(0o644)
        Path(file.name).replace(jar)


@contextmanager
def _temporary(folder: Path) -> Iterator[IO[bytes]]:
    with tempfile.NamedTemporaryFile(dir=folder, prefix=JAR_NAME, suffix=".part", delete=False) as file:
        try:
            yield file
        finally:
            Path(file.name).unlink(missing_ok=True)
