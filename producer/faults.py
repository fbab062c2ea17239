"""What goes wrong, as an answer: one sentence, JSON for the API, a page for a person."""

from typing import Final

from flask import Flask, Response, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from kombu_zipkin.errors import BrokerUnavailable, InvalidJob, JobTooLarge

_RETRY_AFTER_SECONDS: Final = "2"


def register_faults(app: Flask) -> None:
    """Turn errors into answers."""
    app.register_error_handler(InvalidJob, _invalid)
    app.register_error_handler(BrokerUnavailable, _unavailable)
    app.register_error_handler(HTTPException, _http)


def _invalid(error: InvalidJob) -> ResponseReturnValue:
    return _answer(413 if isinstance(error, JobTooLarge) else 400, str(error))


def _unavailable(error: BrokerUnavailable) -> ResponseReturnValue:
    response = _answer(503, f"The queue does not answer; nothing was lost, try again. ({error})")
    response.headers["Retry-After"] = _RETRY_AFTER_SECONDS
    return response


def _http(error: HTTPException) -> ResponseReturnValue:
    sentences = {
        413: "body: expected at most 64 KiB",
        415: "content type: expected application/json",
    }
    status = error.code or 500
    response = _answer(status, sentences.get(status) or error.description or error.name)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(error.valid_methods)
    return response


def _answer(status: int, sentence: str) -> Response:
    if request.path.startswith("/api/") or request.path == "/demo":
        response: Response = jsonify({"error": sentence})
    else:
        response = Response(render_template("fault.html", sentence=sentence, status=status))
    response.status_code = status
    return response
