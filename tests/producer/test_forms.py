"""Forms made of what workers announce: fields by type, faults beside them. On the running system, and alone."""

import json
import re
from typing import Annotated, Literal

import pytest
from pydantic import Field

from kombu_zipkin.jobs import TaskEntry
from kombu_zipkin.jobs.parameters import Parameters
from producer.form import Refusal, fields_of
from tests.producer.test_pages import FORM, ask
from tests.servers import Programs


def mail(
    to: str,
    copies: Annotated[int, Field(ge=1, le=9, description="How many.")] = 1,
    urgent: bool = False,
    size: Literal["A4", "A5"] = "A4",
    names: list[str] | None = None,
    tags: list[str] = [],  # noqa: B006 - as people write it; it is only read
) -> None:
    """Send a mail."""


ENTRY = TaskEntry("mail", "jobs", "Send a mail.", Parameters.of("mail", mail), 0.0)


def test_each_type_has_its_field() -> None:
    """Numbers with their bounds, a choice of what there is, JSON where it is a list."""
    fields = {field.name: field for field in fields_of(ENTRY)}
    assert {name: field.kind for name, field in fields.items()} == {
        "to": "text", "copies": "number", "urgent": "choice", "size": "choice", "names": "text", "tags": "json",
    }  # fmt: skip
    assert (fields["to"].required, fields["copies"].required) == (True, False)
    assert fields["copies"].bounds == {"min": 1, "max": 9, "step": "1"}
    assert (fields["copies"].default, fields["copies"].doc) == ("1", "How many.")
    assert (fields["urgent"].options, fields["size"].options) == (["true", "false"], ["A4", "A5"])


def test_a_refused_form_keeps_what_was_typed() -> None:
    """The others know nothing of it."""
    refusal = Refusal("mail", "no", {"copies": "ten"}, {"copies": "copies: expected a number"})
    fields = {field.name: field for field in fields_of(ENTRY, refusal)}
    assert (fields["copies"].typed, fields["copies"].fault) == ("ten", "copies: expected a number")
    assert (fields["to"].typed, fields["to"].fault) == ("", None)
    assert all(not field.typed for field in fields_of(ENTRY, Refusal("post", "no", {"copies": "ten"})))


def test_a_fault_stands_beside_its_field(system: Programs) -> None:
    """What was typed is still there; as text."""
    status, _, page = ask(system, "POST", "/jobs", "task=do_stuff&argument.seconds=%22%3Elong", **FORM)
    assert status == 400
    (field,) = re.findall(r'<input [^>]*id="do_stuff-seconds"[^>]*>\s*<small[^>]*>.*?</small>', page, re.DOTALL)
    assert 'value="&#34;&gt;long"' in field
    assert 'aria-invalid="true"' in field
    assert "seconds: input should be a valid number" in field
    assert 'href="#form-do_stuff"' in page


def test_a_form_of_an_unknown_task_is_refused(system: Programs) -> None:
    """With those that there are."""
    status, _, page = ask(system, "POST", "/jobs", "task=nobody", **FORM)
    assert (status, "known tasks: demo" in page) == (400, True)


@pytest.mark.parametrize(("typed", "status"), [("0", 202), ("long", 400)])
def test_a_program_that_sends_a_form_gets_json(system: Programs, typed: str, status: int) -> None:
    """As the page does that posts many."""
    body = f"task=do_stuff&argument.seconds={typed}"
    found, headers, text = ask(system, "POST", "/jobs", body, **FORM, Accept="application/json")
    assert found == status
    answer = json.loads(text)
    if status == 202:
        assert system.get(f"/api/jobs/{answer['id']}")[0] == 200
    else:
        assert headers["Content-Type"] == "application/problem+json"
        assert [each["pointer"] for each in answer["errors"]] == ["/arguments/seconds"]
