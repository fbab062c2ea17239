"""What Zipkin's answer to a POST means for the batch."""

import email.utils
import time
from enum import Enum, auto
from typing import Final

from kombu_zipkin.zipkin import Answer


class Verdict(Enum):
    """What to do with the batch."""

    ACCEPTED = auto()
    """Settle it."""
    TOO_LARGE = auto()
    """Send it in halves."""
    TIMED_OUT = auto()
    """Zipkin needed too long: send it in halves, and wait if it is one entry."""
    REFUSED = auto()
    """Something in it is bad: look for it."""
    SUSPECT = auto()
    """Bad, or Zipkin is unwell: check it here, and send it again if it is sound."""
    MISCONFIGURED = auto()
    """This is no Zipkin, or it does not let us in: keep it, say so."""
    LATER = auto()
    """Zipkin cannot right now: keep it, wait."""


_TOO_LARGE_TEXT: Final = "413 Request Entity Too Large"
_TIMED_OUT_TEXT: Final = "RequestTimeoutException"
_ZIPKINS_OWN_TEXTS: Final = ("reading List<Span> from", "Expected a JSON_V2 encoded list")
_MAX_RETRY_AFTER_SECONDS: Final = 300.0


def judge(answer: Answer) -> Verdict:
    """Judge an answer.

    Source: seen from Zipkin 3.6.1, which answers a body over 10 MiB with 500 and the text of a 413, and a corrupt
    payload with 500.
    """
    if 200 <= answer.status < 300:
        return Verdict.ACCEPTED
    if answer.status == 413 or _TOO_LARGE_TEXT in answer.text:
        return Verdict.TOO_LARGE
    if _TIMED_OUT_TEXT in answer.text:
        return Verdict.TIMED_OUT
    if answer.status == 400:
        return Verdict.REFUSED
    if answer.status == 500:
        return Verdict.SUSPECT
    if answer.status in (408, 429) or answer.status > 500:
        return Verdict.LATER
    return Verdict.MISCONFIGURED


def is_zipkins_own(answer: Answer) -> bool:
    """Whether a refusal is in the words of Zipkin's decoder, and not of something that stands before it.

    Source: seen from Zipkin 3.6.1, for every kind of bad span.
    """
    return any(text in answer.text for text in _ZIPKINS_OWN_TEXTS)


def retry_after_seconds(answer: Answer) -> float | None:
    """Read ``Retry-After``, seconds or a date; None without one that makes sense, at most five minutes."""
    value = answer.retry_after
    if value is None:
        return None
    try:
        seconds = (
            float(value)
            if value.strip().isdigit()
            else email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        )
    except (TypeError, ValueError):
        return None
    return min(max(seconds, 0.0), _MAX_RETRY_AFTER_SECONDS)
