"""A task's parameters: known from its type hints, checked where a job is published and where it runs."""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, get_type_hints

import orjson
from pydantic import BaseModel, ConfigDict, PydanticUserError, TypeAdapter, ValidationError, create_model
from pydantic_core import ErrorDetails

from kombu_zipkin.errors import ConfigurationError, InvalidArguments
from kombu_zipkin.jobs.docstrings import told_parameters
from kombu_zipkin.jobs.schemas import may_be_text, type_of

_RESERVED: Final = frozenset({"job_id", "delay_ms"})
_WORDS: Final[Mapping[str, str]] = {
    "integer": "whole number", "number": "number", "string": "text", "boolean": "true or false",
    "array": "list", "object": "object", "null": "null",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a task.

    Attributes:
        name: As in the signature.
        schema: JSON Schema of its type, empty for any.
        required: Whether it has no default.
        default: The default, as JSON; None without one.
    """

    name: str
    schema: dict[str, Any]
    required: bool
    default: Any = None

    @property
    def doc(self) -> str:
        """What it is for, empty where nobody says."""
        return str(self.schema.get("description", ""))

    @property
    def type_words(self) -> str:
        """The type in words, ``value`` when it may be anything."""
        return _WORDS.get(str(self.schema.get("type")), "value")


class Parameters:
    """All parameters of one task, and the check of a job's arguments against them.

    Args:
        task: The task's name, for messages.
        parameters: In the order of the signature.
        model: Checks values; None makes one from the parameters' JSON types.
    """

    def __init__(self, task: str, parameters: Sequence[Parameter], model: type[BaseModel] | None = None) -> None:
        self._task = task
        self.all = tuple(parameters)
        self._model = model or _model(
            task, {p.name: (type_of(p.schema), ... if p.required else p.default) for p in parameters}
        )

    @classmethod
    def of(cls, task: str, function: Callable[..., Any], leave_out: frozenset[str] = frozenset()) -> "Parameters":
        """Read a function's signature, without the parameters in ``leave_out``.

        Raises:
            ConfigurationError: It has parameters that a job cannot give, or types that JSON cannot carry.
        """
        hints = get_type_hints(function, include_extras=True)
        fields: dict[str, tuple[Any, Any]] = {}
        for name, parameter in inspect.signature(function).parameters.items():
            if name in leave_out:
                continue
            if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                raise ConfigurationError(f"task {task}: expected named parameters only, got {parameter}")
            if name in _RESERVED or name.startswith("_"):
                raise ConfigurationError(f"task {task}: the parameter name {name} is taken; choose another")
            required = parameter.default is parameter.empty
            fields[name] = (hints.get(name, Any), ... if required else parameter.default)
        told = told_parameters(function.__doc__)
        parameters = [_parameter(task, name, *field, told.get(name, "")) for name, field in fields.items()]
        return cls(task, parameters, _model(task, fields))

    def check(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments as the task takes them, defaults included.

        Raises:
            InvalidArguments: One is missing, too many, or of a wrong type; one sentence that says what is expected.
        """
        checked = self._checked(self._written(arguments))
        return {name: getattr(checked, name) for name in type(checked).model_fields}

    def write(self, arguments: Mapping[str, Any]) -> bytes:
        """Return the arguments as JSON, as they were given.

        Raises:
            InvalidArguments: As `check` has it.
        """
        written = self._written(arguments)
        self._checked(written)
        return written

    def from_text(self, texts: Mapping[str, str]) -> dict[str, Any]:
        """Read arguments that a person typed: text where the type is text, JSON elsewhere; empty means the default."""
        known = {parameter.name: parameter for parameter in self.all}
        given = {name: text for name, text in texts.items() if text != "" or _takes_text(known.get(name))}
        return {name: _typed(known.get(name), text) for name, text in given.items()}

    def describe(self) -> str:
        """Return the parameters in words: ``seconds (number, default 1.0)``."""
        words = [
            f"{each.name} ({each.type_words}{'' if each.required else f', default {json.dumps(each.default)}'})"
            for each in self.all
        ]
        return ", ".join(words) or "no arguments"

    def _written(self, arguments: Mapping[str, Any]) -> bytes:
        try:
            return orjson.dumps(arguments)
        except TypeError as error:
            raise InvalidArguments(f"{self._task}: expected JSON values: {error}") from error

    def _checked(self, written: bytes) -> BaseModel:
        try:
            return self._model.model_validate_json(written, strict=True)
        except ValidationError as error:
            problems = error.errors(include_url=False)
            sentence = f"{self._task}: {_fault(problems[0])}; it takes {self.describe()}"
            faults = {str(problem["loc"][0]): _fault(problem) for problem in reversed(problems) if problem["loc"]}
            raise InvalidArguments(sentence, faults) from error


def _parameter(task: str, name: str, annotation: Any, default: Any, doc: str) -> Parameter:
    try:
        schema = ({"description": doc} if doc else {}) | TypeAdapter(annotation).json_schema()
        plain = None if default is ... else TypeAdapter(annotation).dump_python(default, mode="json")
    except (PydanticUserError, ValueError, TypeError) as error:
        raise ConfigurationError(
            f"task {task}: parameter {name}: expected a type that JSON can carry: {error}"
        ) from error
    return Parameter(name, schema, default is ..., plain)


def _model(task: str, fields: Mapping[str, tuple[Any, Any]]) -> type[BaseModel]:
    config = ConfigDict(extra="forbid", protected_namespaces=(), arbitrary_types_allowed=False)
    try:
        return create_model(f"Arguments of {task}", __config__=config, **dict(fields))  # type: ignore[call-overload, no-any-return]
    except (PydanticUserError, NameError, TypeError) as error:
        raise ConfigurationError(f"task {task}: {error}") from error


def _takes_text(parameter: Parameter | None) -> bool:
    return parameter is not None and parameter.required and parameter.schema.get("type") == "string"


def _typed(parameter: Parameter | None, text: str) -> Any:
    if parameter is None or may_be_text(parameter.schema):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _fault(problem: ErrorDetails) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "missing":
        return f"{name} is missing"
    if problem["type"] == "extra_forbidden":
        return f"{name} is not an argument of it"
    return f"{name}: {_lower_first(problem['msg'])}, got {problem['input']!r:.60}"


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
