"""The web app's JSON API, as the commands use it, so that the trace begins there."""

import json
import os
import urllib.error
import urllib.request
from http import HTTPStatus
from http.client import HTTPException
from typing import Any, Final

from kombu_zipkin.errors import ConfigurationError, InvalidJob, Unavailable
from kombu_zipkin.outages import is_http_address

ENDED: Final = ("succeeded", "dead_lettered")
"""The states in which a job stays."""

_SECONDS: Final = 10.0


TOKEN: Final = "KOMBU_ZIPKIN_TOKEN"  # noqa: S105 - the name of one
"""Environment variable: the access token of a web app that asks for one; on a command line others would see it."""


class WebApp:
    """One running producer; its access token is read from `TOKEN`.

    Args:
        url: Its address, such as ``http://localhost:5000``.
        timeout: Seconds for one answer.

    Raises:
        ConfigurationError: The URL is not an http or https address.
    """

    def __init__(self, url: str, *, timeout: float = _SECONDS) -> None:
        if not is_http_address(url):
            raise ConfigurationError(f"--url: expected http://host:port, got {url!r}")
        self._url = url.rstrip("/")
        self._timeout = timeout
        token = os.environ.get(TOKEN)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path: str) -> Any:
        """Return the JSON of a page.

        Raises:
            ConfigurationError: The app asks for its access token.
            InvalidJob: The app refused the request, and said why.
            Unavailable: The app did not answer, or cannot now.
        """
        return self._send(urllib.request.Request(self._url + path, headers=self._headers))  # noqa: S310 - checked above

    def post(self, path: str, body: object) -> Any:
        """Post JSON and return the JSON that came back.

        Raises:
            ConfigurationError: The app asks for its access token.
            InvalidJob: The app refused the request, and said why.
            Unavailable: The app did not answer, or cannot now.
        """
        headers = {"Content-Type": "application/json", **self._headers}
        data = json.dumps(body).encode()
        return self._send(urllib.request.Request(self._url + path, data, headers))  # noqa: S310 - as above

    def _send(self, request: urllib.request.Request) -> Any:
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as response:  # noqa: S310 - as above
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                text = _said(error)
            if text is None:
                raise self._another(f"answered {error.code}") from error
            if error.code == HTTPStatus.UNAUTHORIZED:
                raise ConfigurationError(f"{TOKEN}: expected the access token of {self._url}") from error
            if error.code < 500:
                raise InvalidJob(text) from error
            raise Unavailable(f"{self._url}: {text}") from error
        except ValueError as error:
            raise self._another("its answer is no JSON") from error
        except (OSError, HTTPException) as error:
            hint = "is the web app running there? start it with: make demo"
            raise Unavailable(f"{self._url}: {getattr(error, 'reason', error)}; {hint}") from error
        if not isinstance(answer, dict):
            raise self._another("its answer is no JSON object")
        return answer

    def _another(self, what: str) -> Unavailable:
        """Return the error for a server that answers as the web app never does."""
        return Unavailable(f"{self._url}: {what}; is that the web app? correct --url or KOMBU_ZIPKIN_URL")


def _said(error: urllib.error.HTTPError) -> str | None:
    """Return what the web app says of an error; None where it is not the web app that answered."""
    try:
        body = json.load(error)
        return str(body["detail"] if "detail" in body else body["error"])
    except (ValueError, KeyError, TypeError):
        return None
