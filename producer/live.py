"""Parts of pages that a browser asks for again and again."""

from typing import Any, Final

from flask import Response, make_response, render_template, request

FINAL: Final = "X-Final"
"""Header of an answer that will not change any more: the page stops asking."""


def fragment(template: str, *, status: int = 200, final: bool = False, **context: Any) -> Response:
    """Render a part of a page; 304 while it is what the browser has already."""
    response = make_response(render_template(template, **context), status)
    if final:
        response.headers[FINAL] = "1"
    response.headers["Cache-Control"] = "no-cache"
    response.add_etag(weak=True)
    response.make_conditional(request)
    return response
