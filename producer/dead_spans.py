"""``/dead/spans``: what Zipkin would not take; send it again, or throw it away."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from flask import Flask, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest, Conflict

from kombu_zipkin.spans import DeadLetter, DeadLetters, Moved
from producer.dead import done_before

_ID: Final = re.compile("[0-9]{1,18}-[0-9]{1,18}")
_SHOWN: Final = 100
_MAX_TEXT: Final = 4000


class DeadSpansPage:
    """The dead letters of the span stream.

    Args:
        url: The stream's Redis.
        stream: Its name.
    """

    def __init__(self, url: str, stream: str) -> None:
        self._url = url
        self._stream = stream

    def register(self, app: Flask) -> None:
        """Add the routes."""
        app.add_url_rule("/dead/spans", "dead_spans", self.show, methods=["GET"])
        app.add_url_rule("/dead/spans/replay", "replay_dead_spans", self.replay, methods=["POST"])
        app.add_url_rule("/dead/spans/purge", "purge_dead_spans", self.purge, methods=["POST"])
        app.jinja_env.filters["letter_text"] = _text

    def show(self) -> ResponseReturnValue:
        """Show the oldest, or those whose reason contains a text; ``?done=`` tells of what was done before."""
        reason = request.args.get("reason", "").strip() or None
        with self._opened() as dead:
            letters = dead.list(reason, limit=_SHOWN + 1)
        more, done = len(letters) > _SHOWN, done_before("put back onto the stream")
        return render_template("dead_spans.html", letters=letters[:_SHOWN], more=more, reason=reason, done=done)

    def replay(self) -> ResponseReturnValue:
        """Put one, those whose reason contains a text, or all, back onto the stream."""
        with self._opened() as dead:
            return self._back(dead.replay(**_wanted()), "replayed")

    def purge(self) -> ResponseReturnValue:
        """Throw them away; only when the form says that it is meant."""
        if request.form.get("sure") != "yes":
            raise BadRequest("Nothing was thrown away: the box beside the button was not ticked.")
        with self._opened() as dead:
            return self._back(dead.purge(**_wanted()), "purged")

    def _back(self, moved: Moved, what: str) -> ResponseReturnValue:
        if moved.gone:
            raise Conflict("This dead letter is not there any more: somebody has replayed it, or thrown it away.")
        reason = request.form.get("reason", "").strip() or None
        return redirect(url_for("dead_spans", done=moved.letters, what=what, reason=reason), 303)

    @contextmanager
    def _opened(self) -> Iterator[DeadLetters]:
        dead = DeadLetters(self._url, stream=self._stream)
        try:
            yield dead
        finally:
            dead.close()


def _wanted() -> Mapping[str, Any]:
    """Return whom the form means, as `DeadLetters` takes it."""
    letter_id, reason = request.form.get("id", ""), request.form.get("reason", "").strip()
    if letter_id:
        if not _ID.fullmatch(letter_id):
            raise BadRequest(f"id: expected one like 1700000000000-0, got {letter_id!r:.60}")
        return {"ids": [letter_id]}
    return {"reason": reason} if reason else {"everything": True}


def _text(letter: DeadLetter) -> str:
    """Return the span as indented JSON, or what can be told of an entry that holds none."""
    if letter.span is None:
        told = [f"{name.decode('utf-8', 'replace')}: {len(value)} bytes" for name, value in letter.raw.items()]
        return "\n".join(told)[:_MAX_TEXT]
    try:
        return json.dumps(json.loads(letter.span), indent=2, ensure_ascii=False)[:_MAX_TEXT]
    except ValueError:
        return letter.span.decode("utf-8", "replace")[:_MAX_TEXT]
