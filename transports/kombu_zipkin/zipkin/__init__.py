"""Zipkin's HTTP API: post spans, read traces and dependencies."""

try:
    import urllib3 as _urllib3
except ImportError as error:  # pragma: no cover - needs an environment without the extra
    raise ImportError("kombu_zipkin.zipkin needs urllib3: pip install 'kombu-zipkin[relay]'") from error

from kombu_zipkin.zipkin.client import Answer, Dependency, ZipkinClient
from kombu_zipkin.zipkin.links import ZipkinLinks
from kombu_zipkin.zipkin.timeline import Bar, Timeline
from kombu_zipkin.zipkin.tree import SpanNode, TraceTree

del _urllib3

__all__ = ["Answer", "Bar", "Dependency", "SpanNode", "Timeline", "TraceTree", "ZipkinClient", "ZipkinLinks"]
