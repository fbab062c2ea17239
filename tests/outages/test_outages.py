"""While a server is away."""

import logging

import pytest

from kombu_zipkin.outages import Backoff, Outage, public_address


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://user:secret@host:6379/0?x=1", "redis://host:6379/0"),
        ("http://zipkin:9411", "http://zipkin:9411"),
        ("redis+sentinel://u:secret@one:26379,two:26379/main/0", "redis+sentinel://one:26379,two:26379/main/0"),
        ("nonsense", "<not a URL>"),
        ("http://host:port/", "<not a URL>"),
    ],
)
def test_an_address_is_shown_without_credentials(url: str, shown: str) -> None:
    """Log lines are read by many."""
    assert public_address(url) == shown


def test_waits_grow_up_to_a_bound_and_begin_again() -> None:
    """With jitter below each bound."""
    backoff = Backoff(0.1, 1.0)
    waits = [backoff.next() for _ in range(50)]
    assert all(0 < wait <= 1.0 for wait in waits)
    assert waits[0] <= 0.1
    assert max(waits) > 0.3
    backoff.reset()
    assert backoff.next() <= 0.1


def test_an_outage_is_said_once_and_its_end_with_its_length(caplog: pytest.LogCaptureFixture) -> None:
    """Repeats are for whoever debugs."""
    caplog.set_level(logging.DEBUG)
    outage = Outage(logging.getLogger("test"), "Redis on redis://host")
    for _ in range(3):
        outage.failed(ConnectionError("refused"), "next attempt in 1 s")
    assert outage.is_on
    outage.over()
    outage.over()
    assert [record.levelname for record in caplog.records] == ["WARNING", "DEBUG", "DEBUG", "INFO"]
    assert caplog.records[0].getMessage() == "Redis on redis://host unavailable: refused; next attempt in 1 s"


def test_an_outage_that_goes_on_is_said_again_with_the_number_of_attempts(caplog: pytest.LogCaptureFixture) -> None:
    """Once a minute; here at once."""
    caplog.set_level(logging.WARNING)
    outage = Outage(logging.getLogger("test"), "Redis", remind=0.0)
    for _ in range(3):
        outage.failed(ConnectionError("refused"), "next attempt in 1 s")
    assert [record.getMessage() for record in caplog.records] == [
        "Redis unavailable: refused; next attempt in 1 s",
        "Redis still unavailable after 2 attempts in 0 s: refused; next attempt in 1 s",
        "Redis still unavailable after 3 attempts in 0 s: refused; next attempt in 1 s",
    ]
    outage.over()
    outage.failed(ConnectionError("refused"), "next attempt in 1 s")
    assert caplog.messages[-1] == "Redis unavailable: refused; next attempt in 1 s", "a new one"
