"""Three B3 readers over the same vectors: ``python -m benchmarks.b3_readers`` prints the table of docs/tracing.md."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from opentelemetry import trace
from opentelemetry.propagators.b3 import B3MultiFormat
from py_zipkin.request_helpers import extract_zipkin_attrs_from_headers
from werkzeug.datastructures import Headers

from kombu_zipkin.tracing import extract

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "tests" / "tracing" / "b3_vectors.json").read_text()
)["vectors"]

Found = dict[str, Any]
"""What a reader found: result, ids, sampling; a field that it cannot tell is left out and not held against it."""


def ours(headers: dict[str, str]) -> Found:
    """Read as this library does."""
    context = extract(headers)
    if context is None:
        return {"result": "none"}
    sampling = "debug" if context.debug else {True: "accept", False: "deny", None: "defer"}[context.sampled]
    ids = {"trace_id": context.trace_id, "span_id": context.span_id, "parent_span_id": context.parent_id}
    return {"result": "context" if context.trace_id else "sampling_only", **ids, "sampling": sampling}


def py_zipkin(headers: dict[str, str]) -> Found:
    """Read as py_zipkin does, from a carrier without case; it cannot tell deferred from accepted."""
    carrier: Any = Headers(headers)
    attrs = extract_zipkin_attrs_from_headers(carrier)
    if attrs is None:
        return {"result": "none"}
    state = "debug" if attrs.flags == "1" else "accept" if attrs.is_sampled else "deny"
    if not any(attrs.trace_id in value for value in headers.values()):
        return {"result": "sampling_only", "sampling": state}
    ids = {"trace_id": attrs.trace_id, "span_id": attrs.span_id, "parent_span_id": attrs.parent_span_id}
    return {"result": "context", **ids, "sampling": state}


def open_telemetry(headers: dict[str, str]) -> Found:
    """Read as OpenTelemetry does, which keeps no parent and knows sampled or not."""
    carrier = {name.lower(): value for name, value in headers.items()}
    span = trace.get_current_span(B3MultiFormat().extract(carrier)).get_span_context()
    if not span.is_valid:
        return {"result": "none"}
    sampling = "accept" if span.trace_flags else "deny"
    ids = {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}
    return {"result": "context", **ids, "sampling": sampling}


def fits(found: Found, expected: Found, *, lenient: bool) -> bool:
    """Whether what was found is what was expected, in all that the reader can tell."""
    for name, value in found.items():
        wanted = expected.get(name)
        if name == "trace_id" and value and wanted:
            value, wanted = value.zfill(32), wanted.zfill(32)
        if lenient and name == "sampling" and {value, wanted} <= {"accept", "defer", "debug"}:
            continue
        if value != wanted:
            return False
    return True


def judge(read: Callable[[dict[str, str]], Found], *, lenient: bool) -> Counter[str]:
    """Count how a reader did."""
    counts: Counter[str] = Counter()
    for vector in VECTORS:
        try:
            found = read(vector["headers"])
        except Exception:  # noqa: BLE001 - that it raises is what is counted
            counts["raised"] += 1
            continue
        if fits(found, vector["expect"], lenient=lenient):
            counts["exact"] += 1
        elif any(fits(found, other, lenient=lenient) for other in vector.get("also_ok", [])):
            counts["allowed"] += 1
        else:
            counts["off"] += 1
    return counts


def main() -> None:
    """Print the table."""
    readers = {"kombu-zipkin": ours, "py_zipkin 1.2.8": py_zipkin, "OpenTelemetry Python": open_telemetry}
    print(f"| reader | exact, of {len(VECTORS)} | in another way that is allowed | off | raised |")
    print("| --- | --- | --- | --- | --- |")
    for name, read in readers.items():
        counts = judge(read, lenient=read is not ours)
        print(f"| {name} | {counts['exact']} | {counts['allowed']} | {counts['off']} | {counts['raised']} |")


if __name__ == "__main__":
    main()
