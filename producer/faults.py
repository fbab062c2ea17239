"""What goes wrong, as an answer: one sentence; a problem of RFC 9457 for a program, a page for a person."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from flask import Flask, Response, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, MethodNotAllowed, Unauthorized

from kombu_zipkin.errors import BrokerUnavailable, InvalidArguments, InvalidJob, JobTooLarge, Unavailable
from producer.models import Fault, Problem
from producer.openapi import PROBLEM_JSON
from producer.reading import WrongMembers

_RETRY_AFTER_SECONDS: Final = "2"


def register_faults(app: Flask) -> None:
    """Turn errors into answers."""
    app.register_error_handler(InvalidJob, _invalid)
    app.register_error_handler(Unavailable, _unavailable)
    app.register_error_handler(HTTPException, _http)


def _invalid(error: InvalidJob) -> ResponseReturnValue:
    return _answer(413 if isinstance(error, JobTooLarge) else 400, str(error), faults_of(error))


def _unavailable(error: Unavailable) -> ResponseReturnValue:
    what = "The queue" if isinstance(error, BrokerUnavailable) else "Redis"
    response = _answer(503, f"{what} does not answer; nothing was lost, try again. ({error})")
    response.headers["Retry-After"] = _RETRY_AFTER_SECONDS
    return response


def _http(error: HTTPException) -> ResponseReturnValue:
    sentences = {
        413: "body: expected at most 64 KiB",
        415: "content type: expected application/json",
    }
    status = error.code or 500
    members = error.errors if isinstance(error, WrongMembers) else ()
    response = _answer(status, sentences.get(status) or error.description or error.name, members)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(error.valid_methods)
    if isinstance(error, Unauthorized):
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def faults_of(error: InvalidJob) -> list[Fault]:
    """Return what is wrong with which argument of a job."""
    found = error.faults if isinstance(error, InvalidArguments) else {}
    return [Fault(pointer=f"/arguments/{name}", detail=detail) for name, detail in found.items()]


def wants_json() -> bool:
    """Whether a program asks: by the API's addresses, or because it says that it rather takes JSON."""
    if request.path.startswith("/api/"):
        return True
    accepted = request.accept_mimetypes
    return accepted["application/json"] > accepted["text/html"] or (request.path == "/demo" and not accepts_pages())


def accepts_pages() -> bool:
    """Whether whoever asks names HTML among what it takes, as a browser does."""
    return "text/html" in request.accept_mimetypes.values()


def _answer(status: int, sentence: str, members: Sequence[Fault] = ()) -> Response:
    if not wants_json():
        return Response(render_template("fault.html", sentence=sentence, status=status), status)
    problem = Problem(title=HTTPStatus(status).phrase, status=status, detail=sentence, errors=list(members))
    return Response(problem.model_dump_json(), status, content_type=PROBLEM_JSON)
