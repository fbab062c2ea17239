"""The JSON API."""

from typing import Any, Final

import orjson
from flask import Flask, jsonify, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest, NotFound, UnsupportedMediaType

from kombu_zipkin.jobs import Job, JobState, TaskEntry
from kombu_zipkin.zipkin import ZipkinLinks
from producer.service import JobService

_MAX_LIMIT: Final = 500
_STATES: Final = tuple(state.value for state in JobState)
_MEMBERS: Final = ("task", "arguments", "delay_ms", "id")


class JobApi:
    """``/api/jobs`` and ``/api/tasks``.

    Args:
        service: Publishes and looks up.
        links: Addresses of Zipkin's pages.
    """

    def __init__(self, service: JobService, links: ZipkinLinks) -> None:
        self._service = service
        self._links = links

    def register(self, app: Flask) -> None:
        """Add the routes."""
        app.add_url_rule("/api/jobs", "api_post", self.post, methods=["POST"])
        app.add_url_rule("/api/jobs", "api_list", self.list, methods=["GET"])
        app.add_url_rule("/api/jobs/<job_id>", "api_job", self.get, methods=["GET"])
        app.add_url_rule("/api/tasks", "api_tasks", self.tasks, methods=["GET"])

    def post(self) -> ResponseReturnValue:
        """Publish the job ``{"task": "...", "arguments": {...}}``; 202 with its id, trace id and links.

        ``"delay_ms"`` has it wait first; a job whose ``"id"`` was published before is answered, not published again.
        """
        body = _json_object()
        unknown = body.keys() - _MEMBERS
        if unknown:
            raise BadRequest(f"body: {sorted(unknown)[0]!r:.60} is not a member of it; expected {', '.join(_MEMBERS)}")
        task, arguments = body.get("task"), body.get("arguments", {})
        if not isinstance(task, str) or not isinstance(arguments, dict):
            raise BadRequest('body: expected "task" as text and "arguments" as an object')
        job = self._service.publish(task, arguments, job_id=body.get("id"), delay_ms=body.get("delay_ms", 0))
        return jsonify(posted(job, self._links)), 202

    def list(self) -> ResponseReturnValue:
        """Return a page of jobs, newest first, and where the next begins.

        ``?limit=`` 1 to 500, 50 without it; ``?state=``, ``?task=``; ``?after=`` the ``next`` of the page before.
        """
        text = request.args.get("limit", "50")
        if len(text) > 9 or not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _MAX_LIMIT:
            raise BadRequest(f"limit: expected 1..{_MAX_LIMIT}, got {text!r:.60}")
        state = request.args.get("state")
        if state is not None and state not in _STATES:
            raise BadRequest(f"state: expected one of {', '.join(_STATES)}, got {state!r:.60}")
        wanted = None if state is None else JobState(state)
        page = self._service.page(wanted, request.args.get("task"), request.args.get("after"), int(text))
        return jsonify({"jobs": [whole(job, self._links) for job in page.jobs], "next": page.next})

    def get(self, job_id: str) -> ResponseReturnValue:
        """Return one job with all that is known of it."""
        job = self._service.get(job_id)
        if job is None:
            raise NotFound(f"job {job_id!r:.140}: unknown; records are kept for a day")
        return jsonify(whole(job, self._links))

    def tasks(self) -> ResponseReturnValue:
        """Return the tasks that workers have announced."""
        return jsonify({"tasks": [_task(entry) for entry in self._service.tasks().values()]})


def _json_object() -> dict[str, Any]:
    """Read the request's body; Flask's own reader hides what is wrong with it."""
    if not request.is_json:
        raise UnsupportedMediaType
    try:
        body = orjson.loads(request.get_data())
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"body: expected JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadRequest(f"body: expected an object with task and arguments, got {type(body).__name__}")
    return body


def posted(job: Job, links: ZipkinLinks) -> dict[str, Any]:
    """Return the answer to a post."""
    return {"id": job.id, "trace_id": job.trace_id, "state": job.state, "links": _links(job, links)}


def whole(job: Job, links: ZipkinLinks) -> dict[str, Any]:
    """Return a job with all that is known of it."""
    return {
        **posted(job, links),
        "task": job.task,
        "arguments": job.arguments,
        "queue": job.queue,
        "sampled": job.sampled,
        "attempts": job.attempts,
        "created_ms": job.created_ms,
        "started_ms": job.started_ms,
        "finished_ms": job.finished_ms,
        "result": job.result,
        "error": job.error,
    }


def _links(job: Job, links: ZipkinLinks) -> dict[str, str | None]:
    trace = links.trace(job.trace_id) if job.trace_id is not None and job.sampled else None
    return {"self": url_for("api_job", job_id=job.id), "trace": trace}


def _task(entry: TaskEntry) -> dict[str, Any]:
    parameters = [
        {"name": each.name, "schema": each.schema, "required": each.required, "default": each.default}
        for each in entry.parameters.all
    ]
    return {
        "name": entry.name,
        "queue": entry.queue,
        "doc": entry.doc,
        "parameters": parameters,
        "is_running": entry.is_alive,
        "seen_ms": int(entry.seen * 1000),
    }
