"""Read what a request carries into a model; what is wrong with it is told member by member."""

from collections.abc import Mapping
from typing import TypeVar

import orjson
from flask import request
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from producer.models import Fault

_Model = TypeVar("_Model", bound=BaseModel)


class WrongMembers(BadRequest):
    """Members of a request are not as they have to be.

    Args:
        detail: The first fault, in a sentence.
        errors: Every one, with where it is.
    """

    def __init__(self, detail: str, errors: list[Fault]) -> None:
        super().__init__(detail)
        self.errors = errors


def read_body(model: type[_Model]) -> _Model:
    """Read the request's JSON body; Flask's own reader hides what is wrong with it.

    Raises:
        UnsupportedMediaType: It is not said to be JSON.
        BadRequest: It is none.
        WrongMembers: It is not what the model takes.
    """
    if not request.is_json:
        raise UnsupportedMediaType
    try:
        body = orjson.loads(request.get_data())
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"body: expected JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadRequest(f"body: expected an object with {_members(model)}, got {type(body).__name__}")
    return _read(model, body, "body: ")


def read_query(model: type[_Model]) -> _Model:
    """Read the parameters of the request's address.

    Raises:
        WrongMembers: One is not what the model takes.
    """
    return _read(model, request.args.to_dict(), "")


def _read(model: type[_Model], given: Mapping[str, object], where: str) -> _Model:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        faults = [Fault(pointer=_pointer(each), detail=_sentence(model, each)) for each in problems]
        raise WrongMembers(where + faults[0].detail, faults) from error


def _sentence(model: type[BaseModel], problem: ErrorDetails) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "missing":
        return f"{name} is missing; expected {_members(model)}"
    if problem["type"] == "extra_forbidden":
        return f"{name!r:.60} is not a member of it; expected {_members(model)}"
    return f"{name}: {problem['msg'][:1].lower()}{problem['msg'][1:]}, got {problem['input']!r:.60}"


def _pointer(problem: ErrorDetails) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in problem["loc"])


def _members(model: type[BaseModel]) -> str:
    return ", ".join(model.model_fields)
