"""An access token, where one is set: a program sends it as Bearer, a person gives it once and gets a cookie."""

import hashlib
import hmac
from typing import Final

from flask import Flask, Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import Unauthorized

from producer.faults import wants_json

_COOKIE: Final = "kombu-zipkin"
_DAYS: Final = 30
_OPEN: Final = ("/health", "/ready", "/metrics", "/login", "/static/")
"""What needs none: probes and scrapers, and the page that asks for it."""


class Access:
    """Asks for the token at every address but the few that probes and the login page need.

    Args:
        token: What is asked for.
    """

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        # the cookie is made of the token, so a changed one ends every login, and a stolen cookie does not tell it
        self._proof = hmac.new(self._token, b"cookie of the web app", hashlib.sha256).hexdigest()

    def register(self, app: Flask) -> None:
        """Add the check and the login page."""
        app.before_request(self._check)
        app.add_url_rule("/login", "login", self.ask, methods=["GET"])
        app.add_url_rule("/login", "log_in", self.log_in, methods=["POST"])

    def ask(self) -> ResponseReturnValue:
        """Show the page that asks for the token."""
        return render_template("login.html", wrong=False)

    def log_in(self) -> ResponseReturnValue:
        """Take the token, and remember it in a cookie that no script can read."""
        if not hmac.compare_digest(request.form.get("token", "").encode(), self._token):
            return render_template("login.html", wrong=True), 403
        response = make_response(redirect(url_for("board"), 303))
        age = _DAYS * 24 * 3600
        response.set_cookie(
            _COOKIE, self._proof, max_age=age, httponly=True, samesite="Strict", secure=request.is_secure
        )
        return response

    def _check(self) -> ResponseReturnValue | None:
        if request.path.startswith(_OPEN) or self._is_known():
            return None
        if wants_json():
            raise Unauthorized("This web app asks for its access token: send it as Authorization: Bearer …")
        if request.method == "GET" and not request.headers.get("X-Part"):
            return redirect(url_for("login"), 303)
        return Response(render_template("login.html", wrong=False), 401)

    def _is_known(self) -> bool:
        kind, _, given = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self._token):
            return True
        return hmac.compare_digest(request.cookies.get(_COOKIE, "").encode(), self._proof.encode())
