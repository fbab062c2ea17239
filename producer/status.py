"""``/health``, ``/ready`` and ``/metrics`` of the web app."""

from flask import Flask, Response

from kombu_zipkin.runtime import StatusPages


class Status:
    """The three pages as Flask views.

    Args:
        pages: Make them.
    """

    def __init__(self, pages: StatusPages) -> None:
        self._pages = pages

    def register(self, app: Flask) -> None:
        """Add the routes."""
        app.add_url_rule("/health", "health", self.health)
        app.add_url_rule("/ready", "ready", self.ready)
        app.add_url_rule("/metrics", "metrics", self.metrics)

    def health(self) -> Response:
        """Answer 200 while the app serves requests."""
        return _response(*self._pages.health())

    def ready(self) -> Response:
        """Answer 200 while Redis answers the app, else 503 with what is wrong."""
        return _response(*self._pages.ready())

    def metrics(self) -> Response:
        """Answer with the counts, in Prometheus's text format."""
        return _response(*self._pages.metrics())


def _response(status: int, kind: str, body: bytes) -> Response:
    return Response(body, status, content_type=kind)
