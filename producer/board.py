"""The pages: jobs by state and task, a form for every task, one job."""

import json
from datetime import UTC, datetime
from typing import Any, Final

from flask import Flask, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from werkzeug.exceptions import BadRequest, Conflict, NotFound

from kombu_zipkin.errors import BrokerUnavailable, InvalidArguments, InvalidJob
from kombu_zipkin.jobs import Job, JobState
from kombu_zipkin.zipkin import ZipkinLinks
from producer.api import answer
from producer.arrivals import Arrivals
from producer.faults import wants_json
from producer.form import PREFIX, Refusal, fields_of
from producer.lifeline import live
from producer.live import fragment
from producer.models import PostedJob
from producer.service import JobService

_LATEST: Final = 50
_STATES: Final = tuple(state.value for state in JobState)


class Board:
    """``/``, ``/jobs`` and ``/jobs/<id>``.

    Args:
        service: Publishes and looks up.
        links: Addresses of Zipkin's pages.
        arrivals: Knows which traces Zipkin has.
    """

    def __init__(self, service: JobService, links: ZipkinLinks, arrivals: Arrivals) -> None:
        self._service = service
        self._links = links
        self._arrivals = arrivals

    def register(self, app: Flask) -> None:
        """Add the routes and what the templates need."""
        app.add_url_rule("/", "board", self.board, methods=["GET"])
        app.add_url_rule("/jobs", "post_job", self.post, methods=["POST"])
        app.add_url_rule("/board", "board_part", self.board_part, methods=["GET"])
        app.add_url_rule("/jobs/<job_id>", "job", self.job, methods=["GET"])
        app.add_url_rule("/jobs/<job_id>/part", "job_part", self.job_part, methods=["GET"])
        app.add_url_rule("/jobs/<job_id>/retry", "retry_job", self.retry, methods=["POST"])
        app.jinja_env.filters.update(json=_json, moment=_moment, wait=_wait, run=_run, duration=_duration)
        app.jinja_env.globals.update(
            fields_of=fields_of,
            trace_link=self._trace_link,
            dependency_link=self._links.dependencies,
            zipkin_link=self._links.trace,
            task_link=self._links.of_task,
            job_link=self._links.of_job,
        )

    def board(self) -> ResponseReturnValue:
        """Show the jobs and the forms; without Redis, say so. A job's or trace's id leads to its page."""
        sought = request.args.get("q", "").strip()
        if sought:
            return self._find(sought)
        return self._page()

    def board_part(self) -> Response:
        """Show the jobs alone, for a page that keeps itself up to date."""
        shown = self._shown()
        return fragment("_board.html", status=503 if shown["page"] is None else 200, **shown)

    def post(self) -> ResponseReturnValue:
        """Publish the job of a form, and go to its page; a wrong field is told beside it. A program gets JSON."""
        task = request.form.get("task", "")
        typed = {name.removeprefix(PREFIX): text for name, text in request.form.items() if name.startswith(PREFIX)}
        try:
            entry = self._service.tasks().get(task)
            arguments = entry.parameters.from_text(typed) if entry is not None else {}
            job = self._service.publish(task, arguments)
        except InvalidJob as error:
            if wants_json():
                raise
            faults = error.faults if isinstance(error, InvalidArguments) else {}
            return self._page(Refusal(task, str(error), typed, faults), status=400)
        if wants_json():
            return answer(PostedJob.of(job, self._links), 202)
        return redirect(url_for("job", job_id=job.id), 303)

    def job(self, job_id: str) -> ResponseReturnValue:
        """Show one job."""
        job = self._job(job_id)
        return render_template("job.html", job=job, life=live(job), can_retry=self._service.can_retry)

    def job_part(self, job_id: str) -> Response:
        """Show what changes of a job, for a page that keeps itself up to date."""
        job = self._job(job_id)
        final = job.state is JobState.SUCCEEDED
        return fragment("_job.html", final=final, job=job, life=live(job), can_retry=self._service.can_retry)

    def retry(self, job_id: str) -> ResponseReturnValue:
        """Have a job run again, and go to its page."""
        job = self._job(job_id)
        if not self._service.retry(job):
            raise Conflict("Only a job that waits, or is dead, can be run again; this one is neither any more.")
        return redirect(url_for("job", job_id=job.id), 303)

    def _job(self, job_id: str) -> Job:
        job = self._service.get(job_id)
        if job is None:
            raise NotFound(f"There is no job {job_id!r:.140}; records are kept for a day.")
        return job

    def _find(self, sought: str) -> ResponseReturnValue:
        if self._service.get(sought) is not None:
            return redirect(url_for("job", job_id=sought), 303)
        if self._service.of_trace(sought):
            return redirect(url_for("trace", trace_id=sought), 303)
        return self._page(
            Refusal("", f"No job and no trace is known as {sought!r:.140}; records are kept for a day."), status=404
        )

    def _shown(self) -> dict[str, Any]:
        """Read what the page's address asks for; without Redis no page, and why."""
        state, task, after = (request.args.get(name) or None for name in ("state", "task", "after"))
        wanted = {"state": state, "task": task, "after": after}
        if state is not None and state not in _STATES:
            raise BadRequest(f"state: expected one of {', '.join(_STATES)}, got {state!r:.60}")
        try:
            page = self._service.page(JobState(state) if state else None, task, after, _LATEST)
            counts, pace = self._service.counts(), self._service.pace()
            return {**wanted, "page": page, "counts": counts, "pace": pace, "outage": None}
        except BrokerUnavailable as error:
            return {**wanted, "page": None, "counts": {}, "outage": str(error)}

    def _page(self, refusal: Refusal | None = None, status: int = 200) -> ResponseReturnValue:
        shown, tasks = self._shown(), {}
        if shown["page"] is None:
            status = 503
        else:
            tasks = dict(self._service.tasks())
        return render_template("board.html", tasks=tasks, refusal=refusal, states=_STATES, **shown), status

    def _trace_link(self, job: Job) -> str | None:
        """Return where Zipkin shows a job's trace; None until it has it."""
        if job.trace_id is None or not job.sampled or not self._arrivals.has(job.trace_id):
            return None
        return self._links.trace(job.trace_id)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _moment(epoch_ms: int) -> Markup:
    """Write a time as the browser can read it; the page's script puts it into words."""
    at = datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Markup('<time datetime="{}">{}</time>').format(at, at.replace("T", " ").removesuffix("Z") + " UTC")


def _wait(job: Job) -> str:
    """The time in the queue before the last attempt."""
    return "" if job.started_ms is None else f"{max(0, job.started_ms - job.created_ms)} ms"


def _run(job: Job) -> str:
    """The duration of the last attempt."""
    if job.started_ms is None or job.finished_ms is None:
        return ""
    return f"{max(0, job.finished_ms - job.started_ms)} ms"


def _duration(ms: int) -> str:
    return f"{ms} ms" if ms < 10_000 else f"{ms / 1000:,.1f} s"
