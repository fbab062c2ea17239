"""A Flask app that has a worker charge orders.

::

    kombu-zipkin worker examples.flask_shop.tasks
    flask --app examples.flask_shop.app run
    curl -d order=7 localhost:5000/orders
    kombu-zipkin relay

Under gunicorn, preloaded and with several workers, nothing is to be set: the transport notices the fork, and what waits
is sent when a worker ends::

    gunicorn --preload --workers 2 'examples.flask_shop.app:create_app()'
"""

import os

from flask import Flask, request
from flask.typing import ResponseReturnValue
from py_zipkin.zipkin import zipkin_span

from kombu_zipkin.errors import BrokerUnavailable, InvalidJob, UnknownTask
from kombu_zipkin.jobs import JobPublisher
from kombu_zipkin.spans import RedisStreamTransport
from kombu_zipkin.tracing import Tracer, TracingMiddleware


def create_app() -> Flask:
    """Make the app; flask and gunicorn call this."""
    url = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
    spans = RedisStreamTransport(url, stream=os.environ.get("SPANS_STREAM", "zipkin-spans"))
    tracer = Tracer("shop", spans)
    publisher = JobPublisher(url, tracer, namespace=os.environ.get("JOBS_NAMESPACE", "kombu-zipkin"))
    app = Flask(__name__)

    @app.post("/orders")
    def take_order() -> ResponseReturnValue:
        with zipkin_span("shop", span_name="check stock"):
            number = request.form.get("order", type=int)
        try:
            job = publisher.publish("charge", order=number)
        except (UnknownTask, BrokerUnavailable) as error:  # no worker yet, or no Redis: not the order's fault
            return {"error": str(error)}, 503
        except InvalidJob as error:
            return {"error": str(error)}, 400
        return {"job": job.id, "trace": job.trace_id}, 202

    app.wsgi_app = TracingMiddleware(app.wsgi_app, tracer)  # type: ignore[method-assign]
    return app
