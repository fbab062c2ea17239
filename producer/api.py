"""The JSON API."""

from typing import Final

from flask import Flask, Response, jsonify
from flask.typing import ResponseReturnValue
from pydantic import BaseModel
from werkzeug.exceptions import Conflict, NotFound

from kombu_zipkin.jobs import Job
from kombu_zipkin.zipkin import ZipkinLinks
from producer.models import JobList, JobQuery, NewJob, PostedJob, TaskList, TaskView, WholeJob
from producer.openapi import document
from producer.reading import read_body, read_query
from producer.service import JobService

_JSON: Final = "application/json"


class JobApi:
    """``/api/jobs``, ``/api/tasks``, and what describes them, ``/api/openapi.json``.

    Args:
        service: Publishes and looks up.
        links: Addresses of Zipkin's pages.
        has_token: Whether an access token is asked for.
    """

    def __init__(self, service: JobService, links: ZipkinLinks, *, has_token: bool) -> None:
        self._has_token = has_token
        self._service = service
        self._links = links

    def register(self, app: Flask) -> None:
        """Add the routes."""
        app.add_url_rule("/api/jobs", "api_post", self.post, methods=["POST"])
        app.add_url_rule("/api/jobs", "api_list", self.list, methods=["GET"])
        app.add_url_rule("/api/jobs/<job_id>", "api_job", self.get, methods=["GET"])
        app.add_url_rule("/api/jobs/<job_id>/retry", "api_retry", self.retry, methods=["POST"])
        app.add_url_rule("/api/tasks", "api_tasks", self.tasks, methods=["GET"])
        app.add_url_rule("/api/openapi.json", "api_document", self.describe, methods=["GET"])

    def post(self) -> ResponseReturnValue:
        """Publish a job; 202 with its id, trace id and links."""
        new = read_body(NewJob)
        job = self._service.publish(new.task, new.arguments, job_id=new.id, delay_ms=new.delay_ms)
        return answer(PostedJob.of(job, self._links), 202)

    def list(self) -> ResponseReturnValue:
        """Return a page of jobs, newest first, and where the next begins."""
        query = read_query(JobQuery)
        page = self._service.page(query.state, query.task, query.after, query.limit)
        return answer(JobList(jobs=[WholeJob.of(job, self._links) for job in page.jobs], next=page.next))

    def get(self, job_id: str) -> ResponseReturnValue:
        """Return one job with all that is known of it."""
        return answer(WholeJob.of(self._job(job_id), self._links))

    def retry(self, job_id: str) -> ResponseReturnValue:
        """Have a job run again that waits or is dead; 202, for it runs when a worker takes it."""
        if not self._service.retry(self._job(job_id)):
            raise Conflict("Only a job that waits, or is dead, can be run again; this one is neither.")
        return answer(WholeJob.of(self._job(job_id), self._links), 202)

    def tasks(self) -> ResponseReturnValue:
        """Return the tasks that workers have announced."""
        return answer(TaskList(tasks=[TaskView.of(entry) for entry in self._service.tasks().values()]))

    def describe(self) -> ResponseReturnValue:
        """Return the OpenAPI document of all this."""
        return jsonify(document(has_token=self._has_token))

    def _job(self, job_id: str) -> Job:
        job = self._service.get(job_id)
        if job is None:
            raise NotFound(f"job {job_id!r:.140}: unknown; records are kept for a day")
        return job


def answer(told: BaseModel, status: int = 200) -> Response:
    """Write a model as the JSON answer."""
    return Response(told.model_dump_json(), status, content_type=_JSON)
