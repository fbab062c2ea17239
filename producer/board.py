"""The pages: a form for every task, the latest jobs, one job."""

import json
import time
from typing import Final

from flask import Flask, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from kombu_zipkin.errors import BrokerUnavailable, InvalidArguments, UnknownTask
from kombu_zipkin.jobs import Job
from kombu_zipkin.zipkin import ZipkinLinks
from producer.service import JobService

_LATEST: Final = 50
_ARGUMENT: Final = "argument."


class Board:
    """``/``, ``/jobs`` and ``/jobs/<id>``.

    Args:
        service: Publishes and looks up.
        links: Addresses of Zipkin's pages.
    """

    def __init__(self, service: JobService, links: ZipkinLinks) -> None:
        self._service = service
        self._links = links

    def register(self, app: Flask) -> None:
        """Add the routes and what the templates need."""
        app.add_url_rule("/", "board", self.board, methods=["GET"])
        app.add_url_rule("/jobs", "post_job", self.post, methods=["POST"])
        app.add_url_rule("/jobs/<job_id>", "job", self.job, methods=["GET"])
        app.jinja_env.filters.update(json=_json, ago=_ago, wait=_wait, run=_run)
        app.jinja_env.globals.update(trace_link=self._trace_link, dependency_link=self._links.dependencies)

    def board(self) -> ResponseReturnValue:
        """Show the forms and the latest jobs; without Redis, say so."""
        return self._page()

    def post(self) -> ResponseReturnValue:
        """Publish the job of a form, and go to its page; a wrong field is told on the board."""
        task = request.form.get("task", "")
        texts = {
            name.removeprefix(_ARGUMENT): text for name, text in request.form.items() if name.startswith(_ARGUMENT)
        }
        try:
            entry = self._service.tasks().get(task)
            arguments = entry.parameters.from_text(texts) if entry is not None else {}
            job = self._service.publish(task, arguments)
        except (InvalidArguments, UnknownTask) as error:
            return self._page(fault=str(error), status=400)
        return redirect(url_for("job", job_id=job.id), 303)

    def job(self, job_id: str) -> ResponseReturnValue:
        """Show one job."""
        job = self._service.get(job_id)
        if job is None:
            raise NotFound(f"There is no job {job_id!r:.140}; records are kept for a day.")
        return render_template("job.html", job=job)

    def _page(self, fault: str | None = None, status: int = 200) -> ResponseReturnValue:
        try:
            tasks, jobs = self._service.tasks(), self._service.latest(_LATEST)
        except BrokerUnavailable as error:
            return render_template("board.html", tasks={}, jobs=[], fault=None, outage=str(error)), 503
        return render_template("board.html", tasks=tasks, jobs=jobs, fault=fault, outage=None), status

    def _trace_link(self, job: Job) -> str | None:
        return self._links.trace(job.trace_id) if job.trace_id is not None and job.sampled else None


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _ago(epoch_ms: int) -> str:
    """Say how long ago something was, in words."""
    seconds = max(0.0, time.time() - epoch_ms / 1000)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


def _wait(job: Job) -> str:
    """The time in the queue before the last attempt."""
    return "" if job.started_ms is None else f"{max(0, job.started_ms - job.created_ms)} ms"


def _run(job: Job) -> str:
    """The duration of the last attempt."""
    if job.started_ms is None or job.finished_ms is None:
        return ""
    return f"{max(0, job.finished_ms - job.started_ms)} ms"
