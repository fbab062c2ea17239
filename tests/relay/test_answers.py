"""What Zipkin's answers mean."""

import email.utils
import time

import pytest

from kombu_zipkin.relay.answers import Verdict, judge, retry_after_seconds
from kombu_zipkin.zipkin import Answer


@pytest.mark.parametrize(
    ("status", "text", "verdict"),
    [
        (202, "", Verdict.ACCEPTED),
        (200, "", Verdict.ACCEPTED),
        (400, "Cannot decode", Verdict.REFUSED),
        (413, "", Verdict.TOO_LARGE),
        (500, "413 Request Entity Too Large", Verdict.TOO_LARGE),
        (503, "com.linecorp.armeria.server.RequestTimeoutException", Verdict.TIMED_OUT),
        (500, "java.util.zip.ZipException", Verdict.SUSPECT),
        (503, "", Verdict.LATER),
        (429, "", Verdict.LATER),
        (502, "", Verdict.LATER),
        (401, "", Verdict.MISCONFIGURED),
        (404, "", Verdict.MISCONFIGURED),
        (301, "", Verdict.MISCONFIGURED),
    ],
)
def test_every_answer_has_a_verdict(status: int, text: str, verdict: Verdict) -> None:
    """As Zipkin 3.6.1 was seen to answer."""
    assert judge(Answer(status, text, None)) is verdict


def test_retry_after_is_read_in_both_forms_and_bounded() -> None:
    """Seconds or a date; rubbish is no wish."""
    date = email.utils.formatdate(time.time() + 60, usegmt=True)
    assert [retry_after_seconds(Answer(503, "", value)) for value in ("7", "99999", "soon", None)] == [
        7,
        300,
        None,
        None,
    ]
    seconds = retry_after_seconds(Answer(503, "", date))
    assert seconds is not None
    assert 50 < seconds <= 60
