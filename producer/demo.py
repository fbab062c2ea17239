"""The web app's half of the 2017 demo: where ``index`` called ``service1`` over HTTP, it enqueues a job."""

import threading
from typing import Final

from flask import Flask, redirect, request, url_for
from flask.typing import ResponseReturnValue
from py_zipkin.zipkin import zipkin_span

from kombu_zipkin.tracing import SPAN_KEY
from kombu_zipkin.zipkin import ZipkinLinks
from producer.api import answer
from producer.faults import accepts_pages
from producer.models import PostedJob
from producer.service import JobService

_STUFF_SECONDS: Final = 0.05


class Demo:
    """``/demo``: spans ``index`` and ``do_stuff``, then a job whose trace goes on in the worker.

    Args:
        service: Publishes the job.
        links: Addresses of Zipkin's pages.
    """

    def __init__(self, service: JobService, links: ZipkinLinks) -> None:
        self._service = service
        self._links = links

    def register(self, app: Flask) -> None:
        """Add the route."""
        app.add_url_rule("/demo", "demo", self.index, methods=["GET", "POST"])

    def index(self) -> ResponseReturnValue:
        """Do some stuff, publish, and answer at once with the job and the address of its trace; a browser: the page."""
        if request.method == "HEAD":
            return "", 202  # asking about it is not doing it
        request.environ[SPAN_KEY].name = "index"
        do_stuff()
        job = self._service.publish("demo", {})
        if accepts_pages():
            return redirect(url_for("job", job_id=job.id), 303)
        return answer(PostedJob.of(job, self._links), 202)


@zipkin_span("webapp", span_name="do_stuff")
def do_stuff() -> None:
    """Plain py_zipkin, as in the post: a child of the request's span."""
    threading.Event().wait(_STUFF_SECONDS)
