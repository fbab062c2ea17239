"""Three B3 readers over the same vectors: ``python -m benchmarks.b3_readers`` prints the table of docs/tracing.md."""

import json
import logging
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.propagators.b3 import B3MultiFormat
from py_zipkin.request_helpers import extract_zipkin_attrs_from_headers
from werkzeug.datastructures import Headers

from kombu_zipkin.tracing import extract

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "tests" / "tracing" / "b3_vectors.json").read_text()
)["vectors"]

WRONG_IN_THE_PARENT_ONLY: Final = frozenset({"single-bad-parent-bogus"})
"""Vectors to refuse for their parent id alone; who reads no parent id cannot know."""

IDS = {"trace_id": re.compile("[0-9a-f]{16}|[0-9a-f]{32}"), "span_id": re.compile("[0-9a-f]{16}")}
IDS["parent_span_id"] = IDS["span_id"]

Found = dict[str, Any]
"""What a reader found: result, ids, sampling; a field that it cannot tell is left out and not held against it."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A way to read B3, and what is not asked of it.

    Attributes:
        name: Library and version.
        carrier: What the headers are handed over in.
        read: Headers to what was found; may raise.
        states: State in the vector to the one that says the same, for a state the reader has no word for.
        reads_parent: Whether it reads the parent id at all.
    """

    name: str
    carrier: str
    read: Callable[[dict[str, str]], Found]
    states: Mapping[str, str] = field(default_factory=dict)
    reads_parent: bool = True


def ours(headers: dict[str, str]) -> Found:
    """Read as this library does."""
    context = extract(headers)
    if context is None:
        return {"result": "none"}
    sampling = "debug" if context.debug else {True: "accept", False: "deny", None: "defer"}[context.sampled]
    ids = {"trace_id": context.trace_id, "span_id": context.span_id, "parent_span_id": context.parent_id}
    return {"result": "context" if context.trace_id else "sampling_only", **ids, "sampling": sampling}


def py_zipkin(headers: Any) -> Found:
    """Read as py_zipkin does; ids that no header held are its own, which it makes for a lone state."""
    attrs = extract_zipkin_attrs_from_headers(headers)
    if attrs is None:
        return {"result": "none"}
    state = "debug" if attrs.flags == "1" else "accept" if attrs.is_sampled else "deny"
    if not any(attrs.trace_id in value for value in headers.values()):
        return {"result": "sampling_only", "sampling": state}
    ids = {"trace_id": attrs.trace_id, "span_id": attrs.span_id, "parent_span_id": attrs.parent_span_id}
    return {"result": "context", **ids, "sampling": state}


def py_zipkin_without_case(headers: dict[str, str]) -> Found:
    """Read as py_zipkin does from a web framework's headers."""
    return py_zipkin(Headers(headers))


def open_telemetry(headers: dict[str, str]) -> Found:
    """Read as OpenTelemetry does: its multi and its single propagator share one ``extract``, which reads both."""
    span = trace.get_current_span(B3MultiFormat().extract(headers)).get_span_context()
    if not span.is_valid:
        return {"result": "none"}
    ids = {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}
    return {"result": "context", **ids, "sampling": "accept" if span.trace_flags else "deny"}


def open_telemetry_without_case(headers: dict[str, str]) -> Found:
    """Read as OpenTelemetry does where a getter, as its instrumentations bring one, finds names in any case."""
    return open_telemetry({name.lower(): value for name, value in headers.items()})


def readers() -> list[Reader]:
    """Return all readers, the fair way to ask first, then from the plain dict that holds a message's headers."""
    py = f"py_zipkin {version('py_zipkin')}"
    otel = f"OpenTelemetry Python {version('opentelemetry-propagator-b3')}"
    decides = {"defer": "accept"}
    sampled = {"defer": "accept", "debug": "accept"}
    return [
        Reader("kombu-zipkin", "plain dict", ours),
        Reader(py, "without case", py_zipkin_without_case, decides),
        Reader(otel, "without case", open_telemetry_without_case, sampled, reads_parent=False),
        Reader(py, "plain dict", py_zipkin, decides),
        Reader(otel, "plain dict", open_telemetry, sampled, reads_parent=False),
    ]


LENIENCIES: Final = """\
What is not held against a reader:
- all: leading zeros of a 128-bit trace id; what becomes of a vector marked `may`, as long as nothing is raised.
- py_zipkin: the ids it makes for a lone state.
- py_zipkin: `accept` for a deferred state; it decides at once, by default for 100 %.
- OpenTelemetry: the parent id, right or malformed; it never reads it.
- OpenTelemetry: `accept` for debug and for deferred; it knows sampled or not. (`deny` for deferred is held against it:
  its own comment says that deferred is recorded, and in the single header it is.)
- headers without case: names as HTTP has them. A plain dict holds them as the vectors spell them, most of them
  `X-B3-TraceId`; py_zipkin looks for that spelling, OpenTelemetry for lower case, as each writes it."""


def fits(reader: Reader, found: Found, expected: Found) -> bool:
    """Whether what was found is what was expected, in all that the reader can tell."""
    wanted = {**expected, "sampling": reader.states.get(expected["sampling"], expected["sampling"])}
    return all(_padded(name, value) == _padded(name, wanted.get(name)) for name, value in found.items())


def _padded(name: str, value: Any) -> Any:
    return value.zfill(32) if name == "trace_id" and value else value


def fault(found: Found, expected: Found) -> str:
    """Name what went wrong, for the list below the table."""
    if found["result"] == "none":
        return "a lone state is lost" if expected["result"] == "sampling_only" else "a valid context is lost"
    if any(found.get(name) and not shape.fullmatch(found[name]) for name, shape in IDS.items()):
        return "a malformed id is passed on"
    if any(found.get(name) and not found[name].strip("0") for name in IDS):
        return "an id of zeros is passed on"
    if expected["result"] == "none":
        return "a malformed state is read as one"
    if _padded("trace_id", found.get("trace_id")) != _padded("trace_id", expected["trace_id"]):
        return "a malformed b3 header is believed, the valid X-B3 ones are not"
    return f"{expected['sampling']} is read as {found['sampling']}"


def judge(reader: Reader) -> tuple[Counter[str], dict[str, list[str]]]:
    """Count how a reader did, and list by kind of fault the vectors it got wrong."""
    counts: Counter[str] = Counter()
    faults: dict[str, list[str]] = defaultdict(list)
    for vector in VECTORS:
        try:
            found = reader.read(vector["headers"])
        except Exception as error:  # noqa: BLE001 - that it raises is what is counted
            counts["raised"] += 1
            faults[f"{type(error).__name__} is raised"].append(vector["name"])
            continue
        if fits(reader, found, vector["expect"]):
            counts["exact"] += 1
        elif is_allowed(reader, found, vector):
            counts["allowed"] += 1
        else:
            counts["off"] += 1
            faults[fault(found, vector["expect"])].append(vector["name"])
    return counts, faults


def is_allowed(reader: Reader, found: Found, vector: dict[str, Any]) -> bool:
    """Whether the vector lets a reader find this too."""
    if vector["level"] == "may" or (not reader.reads_parent and vector["name"] in WRONG_IN_THE_PARENT_ONLY):
        return True
    return vector["level"] == "should" and any(fits(reader, found, other) for other in vector.get("also_ok", []))


def main() -> None:
    """Print the table, what was not held against whom, and what each gets wrong."""
    logging.disable(logging.WARNING)  # py_zipkin logs what it refuses
    results = [(reader, *judge(reader)) for reader in readers()]
    print(f"| reader | headers in | exact, of {len(VECTORS)} | in another way that is allowed | off | raised |")
    print("| --- | --- | --- | --- | --- | --- |")
    for reader, counts, _ in results:
        numbers = " | ".join(str(counts[column]) for column in ("exact", "allowed", "off", "raised"))
        print(f"| {reader.name} | {reader.carrier} | {numbers} |")
    print(f"\n{LENIENCIES}\n\nWhat each gets wrong:")
    for reader, _, faults in results:
        print(f"- {reader.name}, {reader.carrier}: {sum(map(len, faults.values())) or 'nothing'}")
        for kind, names in sorted(faults.items(), key=lambda item: -len(item[1])):
            print(f"  - {kind} ({len(names)}): {', '.join(names[:4])}{', …' if len(names) > 4 else ''}")


if __name__ == "__main__":
    main()
