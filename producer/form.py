"""A task's form: a field for each parameter, made of what its worker has announced."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kombu_zipkin.jobs import Parameter, TaskEntry

PREFIX: Final = "argument."
"""Before a parameter's name in the name of its field; the form's own fields have none."""

_NUMBERS: Final = ("integer", "number")
_BOUNDS: Final = {"minimum": "min", "maximum": "max", "minLength": "minlength", "maxLength": "maxlength"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field.

    Attributes:
        name: The parameter's.
        id: Unique on the page.
        words: The type in words.
        doc: What it is for; empty where nobody says.
        kind: ``number``, ``text``, ``choice`` or ``json``.
        required: Whether it must be filled in.
        default: As a person would type it; empty without one.
        options: What there is to choose.
        bounds: HTML attributes: ``min``, ``max``, ``step``, ``minlength``, ``maxlength``.
        typed: What was typed into it before.
        fault: What is wrong with that; None when nothing is.
    """

    name: str
    id: str
    words: str
    doc: str
    kind: str
    required: bool
    default: str
    options: Sequence[str]
    bounds: Mapping[str, Any]
    typed: str
    fault: str | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A form that was sent, and not taken.

    Attributes:
        task: Whose form.
        sentence: Why.
        typed: What was in its fields, by parameter.
        faults: What is wrong with which of them.
    """

    task: str
    sentence: str
    typed: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)


def fields_of(entry: TaskEntry, refusal: Refusal | None = None) -> list[Field]:
    """Return the fields of a task's form; of the one that was refused with what was typed, and what is wrong."""
    refused = refusal if refusal is not None and refusal.task == entry.name else Refusal(entry.name, "")
    return [
        _field(entry.name, each, refused.typed.get(each.name, ""), refused.faults.get(each.name))
        for each in entry.parameters.all
    ]


def _field(task: str, parameter: Parameter, typed: str, fault: str | None) -> Field:
    schema = parameter.schema
    options = [_typed(option) for option in schema.get("enum", ())]
    if schema.get("type") == "boolean":
        options = ["true", "false"]
    return Field(
        name=parameter.name,
        id=f"{task}-{parameter.name}",
        words=parameter.type_words,
        doc=parameter.doc,
        kind="choice" if options else _kind(schema),
        required=parameter.required,
        default="" if parameter.required else _typed(parameter.default),
        options=options,
        bounds=_bounds(schema),
        typed=typed,
        fault=fault,
    )


def _kind(schema: Mapping[str, Any]) -> str:
    if schema.get("type") in _NUMBERS:
        return "number"
    return "json" if schema.get("type") in ("array", "object") else "text"


def _bounds(schema: Mapping[str, Any]) -> dict[str, Any]:
    found = {attribute: schema[name] for name, attribute in _BOUNDS.items() if name in schema}
    if schema.get("type") in _NUMBERS:
        found["step"] = "1" if schema["type"] == "integer" else "any"
    return found


def _typed(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
