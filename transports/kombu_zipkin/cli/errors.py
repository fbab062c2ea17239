"""Errors as a person at a terminal reads them: one sentence, and an exit code."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from kombu_zipkin.errors import ConfigurationError, InvalidJob, KombuZipkinError

FAILED: Final = 1
WRONG_USE: Final = 2


@contextmanager
def one_sentence() -> Iterator[None]:
    """Turn this library's errors into a line on standard error: exit 2 for what the caller has to correct, else 1."""
    try:
        yield
    except (ConfigurationError, InvalidJob) as error:
        print(f"kombu-zipkin: {error}", file=sys.stderr)
        sys.exit(WRONG_USE)
    except KombuZipkinError as error:
        print(f"kombu-zipkin: {error}", file=sys.stderr)
        sys.exit(FAILED)
