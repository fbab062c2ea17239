"""Span lists that py_zipkin has encoded already: checked, mended, and taken apart into single spans."""

from typing import Any, Final

import orjson

from kombu_zipkin.spans.encoder import MAX_US, Unencodable, checked_ids, clean_name, clean_value

_KINDS: Final = frozenset({"CLIENT", "SERVER", "PRODUCER", "CONSUMER"})
_NUMBERS: Final = ("timestamp", "duration")
_ENDPOINTS: Final = ("localEndpoint", "remoteEndpoint")


def parse_list(payload: bytes | str) -> list[Any]:
    """Read an encoded list of spans.

    Raises:
        Unencodable: It is not a JSON list; Zipkin v1 and protobuf are not taken.
    """
    try:
        spans = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise Unencodable("payload: expected a JSON list of Zipkin v2 spans (Encoding.V2_JSON)") from error
    if not isinstance(spans, list):
        raise Unencodable(f"payload: expected a JSON list of spans, got {type(spans).__name__}")
    return spans


def mend(span: object) -> dict[str, Any]:
    """Return the fields of one parsed span, with what Zipkin would refuse mended or left out.

    Raises:
        Unencodable: It is not an object, is of Zipkin v1, or its ids are bad.
    """
    if not isinstance(span, dict):
        raise Unencodable(f"span: expected an object, got {type(span).__name__}")
    if "binaryAnnotations" in span:
        raise Unencodable("span: expected Zipkin v2 (Encoding.V2_JSON), got v1")
    fields: dict[str, Any] = checked_ids(span.get("traceId"), span.get("id"), span.get("parentId"))
    if isinstance(span.get("name"), str):
        fields["name"] = clean_name(span["name"])
    if isinstance(span.get("kind"), str) and span["kind"] in _KINDS:
        fields["kind"] = span["kind"]
    for key in _NUMBERS:
        if type(span.get(key)) is int and 0 < span[key] <= MAX_US:
            fields[key] = span[key]
    for key in _ENDPOINTS:
        if isinstance(span.get(key), dict):
            fields[key] = _endpoint(span[key])
    if isinstance(span.get("annotations"), list):
        fields["annotations"] = [_annotation(note) for note in span["annotations"] if _is_annotation(note)]
    if isinstance(span.get("tags"), dict):
        fields["tags"] = {clean_name(key): clean_value(value) for key, value in span["tags"].items()}
    fields.update({flag: True for flag in ("debug", "shared") if span.get(flag) is True})
    return fields


def _endpoint(endpoint: dict[str, Any]) -> dict[str, Any]:
    cleaned: dict[str, Any] = {key: endpoint[key] for key in ("ipv4", "ipv6") if isinstance(endpoint.get(key), str)}
    if isinstance(endpoint.get("serviceName"), str):
        cleaned["serviceName"] = clean_name(endpoint["serviceName"])
    if type(endpoint.get("port")) is int and 0 < endpoint["port"] <= 65535:
        cleaned["port"] = endpoint["port"]
    return cleaned


def _is_annotation(note: object) -> bool:
    if not isinstance(note, dict):
        return False
    at, value = note.get("timestamp"), note.get("value")
    return type(at) is int and 0 < at <= MAX_US and isinstance(value, str) and value != ""


def _annotation(note: dict[str, Any]) -> dict[str, Any]:
    return {"timestamp": note["timestamp"], "value": clean_name(note["value"])}
