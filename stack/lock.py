"""One stack a folder: two would write the same append-only file."""

import fcntl
import os
from pathlib import Path

from stack.errors import StackError


class FolderLock:
    """Holds a folder for this process; it is let go when the process ends, however it ends.

    Args:
        folder: Made if it is not there.

    Raises:
        StackError: Another stack holds it.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / "lock").open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.seek(0)
            pid = self._file.read().strip() or "?"
            self._file.close()
            raise StackError(
                f"another stack uses {folder} (process {pid}): stop it, or set STACK_DATA to another folder"
            ) from error
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def close(self) -> None:
        """Let the folder go."""
        self._file.close()
