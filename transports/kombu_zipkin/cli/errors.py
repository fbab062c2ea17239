"""Errors as a person at a terminal reads them: one sentence with the next step, and an exit code."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

from kombu_zipkin.errors import (
    BrokerUnavailable,
    ConfigurationError,
    InvalidJob,
    KombuZipkinError,
    StreamUnavailable,
    ZipkinRefused,
    ZipkinUnavailable,
)
from kombu_zipkin.outages import public_address

DONE: Final = 0
FAILED: Final = 1
WRONG_USE: Final = 2
INTERRUPTED: Final = 130  # as a shell has it: 128 + SIGINT

_RIGHTS: Final = "; give Redis's user that right: ACL SETUSER"
_PASSWORD: Final = "; correct user and password in REDIS_URL"  # noqa: S105 - a sentence


@contextmanager
def one_sentence(redis_url: str | None = None) -> Iterator[None]:
    """Turn this library's errors into a line on standard error: exit 2 for what the caller has to correct, else 1.

    Args:
        redis_url: The Redis that is asked, to be named where it is away; None for none.
    """
    try:
        yield
    except (ConfigurationError, InvalidJob) as error:
        fail(str(error), WRONG_USE)
    except KombuZipkinError as error:
        fail(with_next_step(error, redis_url))


def fail(sentence: str, code: int = FAILED) -> NoReturn:
    """End the program with a sentence on standard error."""
    print(f"kombu-zipkin: {sentence}", file=sys.stderr)
    sys.exit(code)


def with_next_step(error: KombuZipkinError, redis_url: str | None = None) -> str:
    """Return what an error says, and what to do."""
    said = str(error).rstrip(".")
    if isinstance(error, ZipkinRefused) and error.status in (401, 403):
        return f"{said}; put user:password@ before the host in ZIPKIN_URL"
    if isinstance(error, ZipkinUnavailable):
        return f"{said}; start Zipkin, or correct ZIPKIN_URL"
    if not isinstance(error, (StreamUnavailable, BrokerUnavailable)):
        return said
    if "NoPermissionError" in said:
        return said + _RIGHTS
    if "AuthenticationError" in said:
        return said + _PASSWORD
    where = f" on {public_address(redis_url)}" if redis_url is not None else ""
    return f"{said}; start Redis{where}, or correct REDIS_URL"
