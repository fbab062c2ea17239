"""The traces of jobs, drawn where the person already is."""

from flask import Flask, Response, render_template
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from kombu_zipkin.errors import ZipkinRefused, ZipkinUnavailable
from kombu_zipkin.zipkin import ZipkinClient
from producer.arrivals import Arrivals
from producer.live import fragment
from producer.service import JobService
from producer.waterfall import draw


class Traces:
    """``/trace/<trace id>``, to which Zipkin links back, and the waterfall on it and on a job's page.

    Args:
        service: Knows the jobs of a trace.
        zipkin: Knows its spans.
        arrivals: Told which traces are there.
    """

    def __init__(self, service: JobService, zipkin: ZipkinClient, arrivals: Arrivals) -> None:
        self._service = service
        self._zipkin = zipkin
        self._arrivals = arrivals

    def register(self, app: Flask) -> None:
        """Add the routes."""
        app.add_url_rule("/trace/<trace_id>", "trace", self.trace, methods=["GET"])
        app.add_url_rule("/trace/<trace_id>/waterfall", "waterfall", self.waterfall, methods=["GET"])

    def trace(self, trace_id: str) -> ResponseReturnValue:
        """Show the jobs of a trace, and its waterfall."""
        return render_template("trace.html", trace_id=trace_id, jobs=self._service.of_trace(trace_id))

    def waterfall(self, trace_id: str) -> Response:
        """Draw the trace as far as Zipkin has it; a browser stops asking when it is complete."""
        jobs = self._service.of_trace(trace_id)
        if jobs and not any(job.sampled for job in jobs):
            return fragment("_waterfall.html", final=True, drawn=None, sentence="This trace is not sampled.")
        try:
            spans = self._zipkin.trace(trace_id)
        except ZipkinUnavailable as error:
            sentence = (
                f"Zipkin does not answer, so the trace cannot be drawn; its spans wait and nothing is lost. ({error})"
            )
            return fragment("_waterfall.html", drawn=None, sentence=sentence)
        except ZipkinRefused as error:
            raise NotFound(f"Zipkin: {error}") from error
        if not spans:
            return fragment("_waterfall.html", drawn=None, sentence="Zipkin has no span of this trace yet.")
        self._arrivals.saw([trace_id])
        drawn = draw(spans, jobs)
        return fragment("_waterfall.html", final=not drawn.missing, drawn=drawn, sentence=None, trace_id=trace_id)
