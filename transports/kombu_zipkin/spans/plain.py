"""Write an ordinary span at less than half of the cost.

A process has few names, endpoints and tag keys, so their JSON is kept ready; the rest is one format, and
``orjson.dumps`` for the tags. What is not ordinary is left to the encoder. The bytes are the encoder's own, to the last
one: a property test holds it, and ``benchmarks/spans.py`` has the times.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from py_zipkin import Kind
from py_zipkin.encoding import Span

_HEX: Final = b"0123456789abcdef"
_NO_ID: Final = "0" * 16
_MAX_US: Final = 2**63
_MOST_KEPT: Final = 2000


class Unusual(Exception):
    """This span has something that the encoder has to look at."""


class PlainWriter:
    """Writes spans whose parts were clean in other spans before. Used by one thread at a time."""

    def __init__(self) -> None:
        self._forget()

    def write(self, span: Span) -> bytes | None:
        """Write a span; None for one that the encoder has to look at."""
        try:
            text = self._text(span)
        except Exception:  # noqa: BLE001 - whatever is unusual about it, the encoder knows what to do
            return None
        return None if 'yAnnotations"' in text else text.encode()

    def learn(self, span: Span, fields: Mapping[str, Any]) -> None:
        """Keep the parts of a span that may come again.

        Args:
            span: The span.
            fields: What the encoder made of it.
        """
        if len(self._ids) + len(self._names) + len(self._local) + len(self._remote) + len(self._keys) > _MOST_KEPT:
            self._forget()
        self._ids.update(fields[which] for which in ("traceId", "parentId") if which in fields)
        if type(span.name) is str and "name" in fields:
            self._names[span.name] = f',"name":{_json(fields["name"])}'
        ends = (
            ("localEndpoint", span.local_endpoint, self._local),
            ("remoteEndpoint", span.remote_endpoint, self._remote),
        )
        for which, endpoint, kept in ends:
            if which in fields and endpoint is not None:
                kept[endpoint] = f',"{which}":{_json(fields[which])}'
        self._keys.update(fields.get("tags", {}).keys() & (span.tags or {}).keys())

    def _forget(self) -> None:
        self._ids: set[str] = set()  # of traces and parents
        self._names: dict[object, str] = {None: "", "": ""}
        self._local: dict[object, str] = {None: ""}
        self._remote: dict[object, str] = {None: ""}
        self._keys: set[str] = set()

    def _text(self, span: Span) -> str:
        trace_id, span_id, parent_id, kind = span.trace_id, span.span_id, span.parent_id, span.kind
        if (
            trace_id not in self._ids
            or span_id is None
            or span_id == _NO_ID
            or len(span_id) != 16
            or span_id.encode().translate(None, _HEX)
        ):
            raise Unusual
        if parent_id is not None and parent_id not in self._ids:
            raise Unusual
        at, took = int(span.timestamp * 1_000_000), int(span.duration * 1_000_000)  # type: ignore[operator]
        if not 0 < at < _MAX_US > took > 0 or span.debug or span.shared:
            raise Unusual
        parent = "" if parent_id is None else f',"parentId":"{parent_id}"'
        role = "" if kind is Kind.LOCAL else f',"kind":"{kind._value_}"'
        notes = f',"annotations":[{_annotations(span.annotations)}]' if span.annotations else ""
        tags = f',"tags":{self._tags(span.tags)}' if span.tags else ""
        return (
            f'{{"traceId":"{trace_id}","id":"{span_id}"{parent}{self._names[span.name]}{role},"timestamp":{at}'
            f',"duration":{took}{self._local[span.local_endpoint]}{self._remote[span.remote_endpoint]}{notes}{tags}}}'
        )

    def _tags(self, tags: Mapping[str, object]) -> str:
        if not self._keys.issuperset(tags):
            raise Unusual
        for value in tags.values():
            if type(value) is not str:
                raise Unusual
        text = orjson.dumps(tags)
        if not text.isascii():
            raise Unusual
        return text.decode()


def _annotations(annotations: Mapping[str, float | None]) -> str:
    notes = []
    for value, at in annotations.items():
        moment = int(at * 1_000_000)  # type: ignore[operator] # None is unusual
        if not (0 < moment < _MAX_US and 0 < len(value) < 256 and value.isascii() and value.isprintable()):
            raise Unusual
        notes.append(f'{{"timestamp":{moment},"value":{_json(value)}}}')
    return ",".join(notes)


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
