"""The OpenAPI document of the JSON API, out of the models that check and write it. Source: OpenAPI 3.1.0."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from producer.models import JobList, JobQuery, NewJob, PostedJob, Problem, TaskList, WholeJob

PROBLEM_JSON: Final = "application/problem+json"
_REF: Final = "#/components/schemas/{model}"
_NOT_FOUND: Final = HTTPStatus.NOT_FOUND
_UNAVAILABLE: Final = HTTPStatus.SERVICE_UNAVAILABLE


@dataclass(frozen=True, slots=True)
class Operation:
    """What one method of one address does.

    Attributes:
        id: Its name for programs.
        summary: For people, a sentence.
        answer: The model of a good answer; None for any object.
        status: Of a good answer.
        faults: What else it may answer.
        body: The model that it takes.
        query: The model of its address's parameters.
    """

    id: str
    summary: str
    answer: type[BaseModel] | None
    status: HTTPStatus = HTTPStatus.OK
    faults: Sequence[HTTPStatus] = (_UNAVAILABLE,)
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None


_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("/api/jobs", "get"): Operation(
        "listJobs",
        "Return a page of jobs, newest first.",
        JobList,
        faults=(HTTPStatus.BAD_REQUEST, _UNAVAILABLE),
        query=JobQuery,
    ),
    ("/api/jobs", "post"): Operation(
        "postJob",
        "Post a job. Its trace begins here, or goes on from the B3 headers of the request.",
        PostedJob,
        HTTPStatus.ACCEPTED,
        (
            HTTPStatus.BAD_REQUEST,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            _UNAVAILABLE,
        ),
        body=NewJob,
    ),
    ("/api/jobs/{job_id}", "get"): Operation(
        "getJob", "Return one job; records are kept for a day.", WholeJob, faults=(_NOT_FOUND, _UNAVAILABLE)
    ),
    ("/api/jobs/{job_id}/retry", "post"): Operation(
        "retryJob",
        "Have a job run again that waits or is dead.",
        WholeJob,
        HTTPStatus.ACCEPTED,
        (_NOT_FOUND, HTTPStatus.CONFLICT, _UNAVAILABLE),
    ),
    ("/api/tasks", "get"): Operation("listTasks", "Return the tasks that workers have announced.", TaskList),
    ("/api/openapi.json", "get"): Operation("getDocument", "Return this document.", None, faults=()),
}


def document(*, has_token: bool) -> dict[str, Any]:
    """Return the document.

    Args:
        has_token: Whether the app asks for an access token.
    """
    bodies = [each.body for each in _OPERATIONS.values() if each.body]
    answers = {each.answer for each in _OPERATIONS.values() if each.answer} | {Problem}
    models = [(model, "validation") for model in bodies]
    models += [(model, "serialization") for model in sorted(answers, key=lambda model: model.__name__)]
    _, schemas = models_json_schema(models, ref_template=_REF)  # type: ignore[arg-type] # the modes are literals
    paths: dict[str, dict[str, Any]] = {}
    for (path, method), operation in _OPERATIONS.items():
        paths.setdefault(path, {})[method] = _operation(path, operation, has_token)
    components: dict[str, Any] = {"schemas": schemas["$defs"]}
    if has_token:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "kombu-zipkin", "version": version("kombu-zipkin"), "summary": "Post jobs, and see them."},
        "paths": paths,
        "components": components,
        **({"security": [{"token": []}]} if has_token else {}),
    }


def _operation(path: str, operation: Operation, has_token: bool) -> dict[str, Any]:
    parameters = _of_path(path) + _of_query(operation.query)
    faults = (*operation.faults, *([HTTPStatus.UNAUTHORIZED] if has_token else []))
    return {
        "operationId": operation.id,
        "summary": operation.summary,
        **({"parameters": parameters} if parameters else {}),
        **({"requestBody": {"required": True, "content": _json(operation.body)}} if operation.body else {}),
        "responses": {
            str(operation.status.value): {"description": operation.status.phrase, "content": _json(operation.answer)},
            **{str(each.value): _fault(each) for each in faults},
        },
    }


def _fault(status: HTTPStatus) -> dict[str, Any]:
    told: dict[str, Any] = {"description": status.phrase, "content": {PROBLEM_JSON: {"schema": _ref(Problem)}}}
    if status is _UNAVAILABLE:
        told["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}
    return told


def _json(model: type[BaseModel] | None) -> dict[str, Any]:
    return {"application/json": {"schema": {"type": "object"} if model is None else _ref(model)}}


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}


def _of_path(path: str) -> list[dict[str, Any]]:
    if "{job_id}" not in path:
        return []
    return [{"name": "job_id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}]


def _of_query(model: type[BaseModel] | None) -> list[dict[str, Any]]:
    if model is None:
        return []
    schema = model.model_json_schema()
    found = []
    for name, field in schema["properties"].items():
        plain = {key: value for key, value in _without_null(field).items() if key not in ("title", "description")}
        if "$ref" in plain:
            plain = schema["$defs"][plain["$ref"].rsplit("/", 1)[1]]
        found.append({"name": name, "in": "query", "description": field.get("description", ""), "schema": plain})
    return found


def _without_null(field: dict[str, Any]) -> dict[str, Any]:
    """A parameter that is not given is left out; it is never null."""
    one_of = [each for each in field.get("anyOf", [field]) if each.get("type") != "null"]
    return dict(one_of[0])
