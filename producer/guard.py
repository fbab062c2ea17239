"""What a browser may do with the pages, and who may send their forms."""

from typing import Final
from urllib.parse import urlsplit

from flask import Flask, Response, request
from werkzeug.exceptions import Forbidden

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
_OWN: Final = ("same-origin", "none")


def register_guard(app: Flask) -> None:
    """Refuse forms of other sites, and tell browsers what the pages may load."""
    app.before_request(_refuse_strangers)
    app.after_request(_tell)


def _refuse_strangers() -> None:
    """A form that another site's page sends arrives with that site's name; what a browser did not send has none.

    JSON needs no look: a browser asks first before it sends some to another site, and gets no permission.
    """
    if request.method in ("GET", "HEAD", "OPTIONS") or request.mimetype not in ("", *_FORMS):
        return
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if (site is not None and site not in _OWN) or (origin is not None and urlsplit(origin).netloc != request.host):
        raise Forbidden("This form was sent by another site's page.")


def _tell(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response
