"""What is read from a task's docstring."""

from kombu_zipkin.jobs.docstrings import purpose, told_parameters
from kombu_zipkin.jobs.parameters import Parameters

DOC = """Send a mail.

    Twice, if it must be: of both, one arrives.

    Args:
        to: Whom; an address
            such as ada@example.org.
        copies (int): How many: at least one.

    Returns:
        that: it was sent.
    """


def test_what_the_task_does_ends_where_the_sections_begin() -> None:
    """Nothing is nothing."""
    assert purpose(DOC) == "Send a mail.\n\nTwice, if it must be: of both, one arrives."
    assert purpose(None) == ""
    assert purpose("Args:\n    x: y") == ""


def test_each_parameter_is_told_of() -> None:
    """Over several lines too; what is returned is none."""
    assert told_parameters(DOC) == {
        "to": "Whom; an address such as ada@example.org.",
        "copies": "How many: at least one.",
    }
    assert told_parameters("Send a mail.") == {}


def test_a_field_s_own_description_comes_first() -> None:
    """And what neither says is empty."""

    def send(to: str, copies: int = 1) -> None:
        """Send.

        Args:
            to: Whom.
        """

    assert [each.doc for each in Parameters.of("send", send).all] == ["Whom.", ""]
