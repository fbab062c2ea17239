"""The web app's JSON API, as the commands use it, so that the trace begins there."""

import json
import urllib.error
import urllib.request
from typing import Any, Final
from urllib.parse import urlsplit

from kombu_zipkin.errors import ConfigurationError, InvalidJob, Unavailable

_SECONDS: Final = 10.0


class WebApp:
    """One running producer.

    Args:
        url: Its address, such as ``http://localhost:5000``.
        timeout: Seconds for one answer.

    Raises:
        ConfigurationError: The URL is not an http or https address.
    """

    def __init__(self, url: str, *, timeout: float = _SECONDS) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise ConfigurationError(f"--url: expected http://host:port, got {url!r}")
        self._url = url.rstrip("/")
        self._timeout = timeout

    def get(self, path: str) -> Any:
        """Return the JSON of a page.

        Raises:
            InvalidJob: The app refused the request, and said why.
            Unavailable: The app did not answer, or cannot now.
        """
        return self._send(urllib.request.Request(self._url + path))  # noqa: S310 - the scheme is checked above

    def post(self, path: str, body: object) -> Any:
        """Post JSON and return the JSON that came back.

        Raises:
            InvalidJob: The app refused the request, and said why.
            Unavailable: The app did not answer, or cannot now.
        """
        headers = {"Content-Type": "application/json"}
        data = json.dumps(body).encode()
        return self._send(urllib.request.Request(self._url + path, data, headers))  # noqa: S310 - as above

    def _send(self, request: urllib.request.Request) -> Any:
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as response:  # noqa: S310 - as above
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                text = _said(error)
            if error.code < 500:
                raise InvalidJob(text) from error
            raise Unavailable(f"{self._url}: {text}") from error
        except (OSError, ValueError) as error:
            hint = "is the web app running there? start it with: make demo"
            raise Unavailable(f"{self._url}: {getattr(error, 'reason', error)}; {hint}") from error


def _said(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["detail"])
    except (ValueError, KeyError, TypeError):
        return f"answered {error.code}"
