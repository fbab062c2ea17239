"""A server's address as it may stand in a log line."""

from urllib.parse import urlsplit


def public_address(url: str) -> str:
    """Return the URL without user, password and query; a text that is no URL comes back as ``<not a URL>``."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2].lower()
        if "," not in host:  # several only where Sentinels are named
            _ = parts.port
    except ValueError:
        return "<not a URL>"
    return f"{parts.scheme}://{host}{parts.path}" if parts.scheme else "<not a URL>"


def is_http_address(url: str) -> bool:
    """Whether a URL names a server: ``http://host`` or ``https://host``, with a port or without."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
