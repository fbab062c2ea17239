"""What a task takes, from its type hints."""

import enum
from typing import Annotated, Any

import pytest
from pydantic import Field

from kombu_zipkin.errors import ConfigurationError, InvalidArguments
from kombu_zipkin.jobs import JobContext, Parameters, Retry, Task, collect_tasks, task
from kombu_zipkin.jobs.parameters import Parameter


class Colour(enum.Enum):
    """A type that JSON carries as text."""

    RED = "red"


def paint(n: int, seconds: float = 1.5, colour: Colour = Colour.RED, note: str = "") -> None:
    """A function of many types."""


PARAMETERS = Parameters.of("paint", paint)


def test_good_arguments_come_back_as_the_function_takes_them() -> None:
    """Typed, with the defaults."""
    assert PARAMETERS.check({"n": 2, "seconds": 3, "colour": "red"}) == {
        "n": 2,
        "seconds": 3.0,
        "colour": Colour.RED,
        "note": "",
    }


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "paint: n is missing; it takes n (whole number), seconds (number, default 1.5)"),
        ({"n": 1, "size": 2}, "paint: size is not an argument of it"),
        ({"n": "1"}, "paint: n: input should be a valid integer, got '1'"),
        ({"n": True}, "paint: n: input should be a valid integer, got True"),
        ({"n": 1.5}, "paint: n: "),
        ({"n": 1, "colour": "blue"}, "paint: colour: input should be 'red', got 'blue'"),
        ({"n": object()}, "paint: expected JSON values"),
    ],
)
def test_bad_arguments_are_refused_with_a_sentence(arguments: dict[str, Any], sentence: str) -> None:
    """That says what is expected."""
    with pytest.raises(InvalidArguments) as failure:
        PARAMETERS.check(arguments)
    assert str(failure.value).startswith(sentence)


def test_a_publisher_that_knows_only_the_schema_refuses_wrong_types_too() -> None:
    """It has no access to the worker's code."""
    known = Parameters("paint", [Parameter(p.name, p.schema, p.required, p.default) for p in PARAMETERS.all])
    known.check({"n": 1})
    with pytest.raises(InvalidArguments, match="n: input should be a valid integer"):
        known.check({"n": "one"})
    with pytest.raises(InvalidArguments, match="seconds: input should be a valid number"):
        known.check({"n": 1, "seconds": "long"})


def test_what_a_person_typed_is_read_by_type() -> None:
    """Text where text is wanted, else JSON, and nothing means the default."""
    read = PARAMETERS.from_text({"n": "3", "seconds": "", "note": "7", "colour": "red"})
    assert read == {"n": 3, "note": "7", "colour": "red"}
    assert PARAMETERS.from_text({"n": "three"}) == {"n": "three"}


def test_a_task_is_called_like_its_function_and_knows_itself() -> None:
    """With parentheses or without."""

    @task
    def plain(n: int) -> int:
        """Doubles."""
        return n * 2

    @task(name="other", queue="slow", retry=Retry(limit=2), span_name="index_service1")
    def named(context: JobContext, n: int) -> int:
        return n

    assert plain(2) == 4
    assert (plain.name, plain.queue, plain.doc, plain.context_parameter) == ("plain", "jobs", "Doubles.", None)
    assert (named.name, named.queue, named.retry.limit, named.span_name) == ("other", "slow", 2, "index_service1")
    assert (named.context_parameter, [parameter.name for parameter in named.parameters.all]) == ("context", ["n"])


def variadic(*numbers: int) -> None:
    """Takes what a job cannot name."""


def reserved(job_id: str) -> None:
    """Takes what the publisher takes itself."""


def untypable(socket: Annotated[object, Field()]) -> None:
    """Takes anything; that is allowed."""


async def coroutine() -> None:
    """Needs a loop that a worker has not."""


@pytest.mark.parametrize("function", [variadic, reserved, coroutine])
def test_a_function_that_cannot_be_a_task_is_refused(function: Any) -> None:
    """When it is made one, not when it runs."""
    with pytest.raises(ConfigurationError, match=r"^task "):
        task(function)


@pytest.mark.parametrize("limits", [{"limit": -1}, {"first_ms": 0}, {"first_ms": 5, "longest_ms": 4}])
def test_a_retry_rule_out_of_range_is_refused(limits: dict[str, int]) -> None:
    """Naming what was expected."""
    with pytest.raises(ConfigurationError, match="expected 0 <= limit"):
        Retry(**limits)


def test_tasks_are_collected_from_modules() -> None:
    """Those of the demo."""
    names = {each.name for each in collect_tasks(["worker.tasks"])}
    assert {"demo", "do_stuff", "fan_out", "fetch", "fail"} <= names
    assert all(isinstance(each, Task) for each in collect_tasks(["worker.tasks"]))


@pytest.mark.parametrize(("module", "sentence"), [("no.such", "is it importable"), ("json", "found none")])
def test_a_module_without_tasks_is_refused(module: str, sentence: str) -> None:
    """With what to do."""
    with pytest.raises(ConfigurationError, match=sentence):
        collect_tasks([module])
