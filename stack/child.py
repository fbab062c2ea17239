"""Become another program that ends when the stack does, even if the stack is killed.

Run as ``python -m stack.child PROGRAM ARGUMENT...``. On Linux the kernel sends SIGTERM to it when its parent dies;
elsewhere a killed stack leaves its programs running.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Tie this process to its parent, then become the program."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 - becoming it is the point


if __name__ == "__main__":
    main()
