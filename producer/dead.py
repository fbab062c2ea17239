"""``/dead``: the jobs that failed for good; run them again, or throw them away."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from flask import Flask, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest, Conflict, NotFound

from kombu_zipkin.jobs import DeadJob, DeadJobs, JobRecords, each_of, read_catalogue

_SHOWN: Final = 100
_AT_ONCE: Final = 1000
_DIGITS: Final = 9


class DeadPage:
    """The dead letters of every queue.

    Args:
        url: The queue's Redis; None where it is in no Redis.
        records: Told of what is replayed.
        redis_url: Of the catalogue, which knows the queues.
        namespace: Prefix of every key.
    """

    def __init__(self, url: str | None, records: JobRecords, redis_url: str, namespace: str) -> None:
        self._url, self._redis_url = url, redis_url
        self._records = records
        self._namespace = namespace

    def register(self, app: Flask) -> None:
        """Add the routes."""
        app.add_url_rule("/dead", "dead", self.show, methods=["GET"])
        app.add_url_rule("/dead/replay", "replay_dead", self.replay, methods=["POST"])
        app.add_url_rule("/dead/purge", "purge_dead", self.purge, methods=["POST"])

    def show(self) -> ResponseReturnValue:
        """Show the newest, or those whose reason contains a text; ``?done=`` tells of what was done before."""
        reason = request.args.get("reason", "").strip() or None
        with self._opened() as dead:
            letters = dead.list(reason=reason, limit=_SHOWN + 1)
        more, done = len(letters) > _SHOWN, done_before("put back into their queues")
        return render_template("dead_jobs.html", letters=letters[:_SHOWN], more=more, reason=reason, done=done)

    def replay(self) -> ResponseReturnValue:
        """Put one, or those whose reason contains a text, back into their queues."""
        with self._opened() as dead:
            went, _ = each_of(self._wanted(dead), dead.replay, lambda _: None)
        return self._back(went, "replayed")

    def purge(self) -> ResponseReturnValue:
        """Throw one away, or those whose reason contains a text; only when the form says that it is meant."""
        if request.form.get("sure") != "yes":
            raise BadRequest("Nothing was thrown away: the box beside the button was not ticked.")
        with self._opened() as dead:
            went, _ = each_of(self._wanted(dead), dead.purge, lambda _: None)
        return self._back(went, "purged")

    def _wanted(self, dead: DeadJobs) -> list[DeadJob]:
        letter_id, reason = request.form.get("id"), request.form.get("reason", "").strip()
        if not letter_id:
            return list(dead.list(reason=reason or None, limit=_AT_ONCE))
        letter = dead.show(letter_id)
        if letter is None:
            raise Conflict("This dead letter is not there any more: somebody has replayed it, or thrown it away.")
        return [letter]

    def _back(self, went: int, what: str) -> ResponseReturnValue:
        reason = request.form.get("reason", "").strip() or None
        return redirect(url_for("dead", done=went, what=what, reason=reason), 303)

    @contextmanager
    def _opened(self) -> Iterator[DeadJobs]:
        if self._url is None:
            raise NotFound("The queue is in no Redis; its broker keeps the dead letters.")
        with read_catalogue(self._redis_url, self._namespace) as catalogue:
            queues = sorted({entry.queue for entry in catalogue.all().values()} | {"jobs"})
        dead = DeadJobs(self._url, queues, self._records, namespace=self._namespace, timeout=2.0)
        try:
            yield dead
        finally:
            dead.close()


def done_before(replayed: str) -> str | None:
    """Say what the form that led here has done, by the page's address; None where it was none."""
    done = request.args.get("done", "")
    if not done.isascii() or not done.isdigit() or len(done) > _DIGITS:
        return None
    return f"{done} {'thrown away' if request.args.get('what') == 'purged' else replayed}."
