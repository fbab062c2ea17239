"""What is written, Zipkin takes and stores: also on MariaDB, which loses a whole list behind a 202."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kombu_zipkin.spans import SpanEncoder, compress, encode, join
from kombu_zipkin.spans.foreign import mend, parse_list
from tests.servers import MariaServer, ZipkinServer, find_mariadb, wait_until
from tests.spans.making import make_span
from tests.spans.test_encoder import SPANS

TRAPS = (
    "listMyAnnotations",
    'yAnnotations"',
    "x" * 300,
    "😀" * 200,
    "\x00\x1f",
    "\ud800",
    "é\u2028",
    "",
    " ",
    "ß" * 255,
    "'; --",
)


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaServer]:
    """A MariaDB for these tests."""
    if find_mariadb() is None:
        pytest.skip("no mariadbd on this machine")
    server = MariaServer(tmp_path_factory.mktemp("mariadb"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def zipkin_on_mariadb(mariadb: MariaServer) -> Iterator[ZipkinServer]:
    """A Zipkin that stores there."""
    server = ZipkinServer(env=mariadb.zipkin_env)
    yield server
    server.close()


def assert_stored(zipkin: ZipkinServer, written: list[bytes]) -> None:
    """Post spans as one list; every one is found again under its ids, and nothing was dropped."""
    assert zipkin.api.post(join([compress(b",".join(written))])).status == 202
    for span in map(orjson.loads, written):
        found = wait_until(lambda trace=span["traceId"]: zipkin.api.trace(trace), f"{span} to be stored")  # type: ignore[misc]
        assert span["id"] in {each["id"] for each in found}
    assert zipkin.api.spans_dropped() == 0


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(spans=st.lists(SPANS, min_size=1, max_size=12))
def test_spans_made_of_anything_are_stored(zipkin_on_mariadb: ZipkinServer, spans: list[Any]) -> None:
    """Any name, kind, time, port, tag and annotation."""
    encoder = SpanEncoder()
    assert_stored(zipkin_on_mariadb, [encoder.encode(span) for span in spans])


@pytest.mark.parametrize("trap", TRAPS, ids=ascii)
def test_a_trap_in_every_text_is_stored(zipkin_on_mariadb: ZipkinServer, trap: str) -> None:
    """In names, tag keys and values, annotations."""

    class Silent:
        def __str__(self) -> str:
            raise RuntimeError(trap)

    tags: dict[Any, Any] = {trap: trap, "value": trap * 3, "bytes": trap.encode("utf-8", "replace"), "silent": Silent()}
    span = make_span(trap, tags={**tags, "nested": {"a": [trap]}, "none": None}, annotations={trap: 1_700_000_000.0})
    assert_stored(zipkin_on_mariadb, [encode(span), encode(make_span("a good one beside it"))])


TEXT = st.text(st.characters(codec="utf-8"), max_size=300)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
KEYS = ("parentId", "name", "kind", "timestamp", "duration", "localEndpoint", "remoteEndpoint", "annotations", "tags")


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(lists=st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys((*KEYS, "debug", "shared"), JSON)), max_size=8))
def test_lists_of_other_peoples_py_zipkin_are_stored(zipkin_on_mariadb: ZipkinServer, lists: list[Any]) -> None:
    """Mended where they must be; the ids are good, or a span is refused and counted."""
    known = [orjson.loads(encode(make_span())) for _ in lists]
    payload = orjson.dumps(
        [{**extra, "traceId": ids["traceId"], "id": ids["id"]} for extra, ids in zip(lists, known, strict=True)]
    )
    assert_stored(
        zipkin_on_mariadb, [encode(make_span()), *map(SpanEncoder().encode_fields, map(mend, parse_list(payload)))]
    )


def test_what_the_storage_loses_behind_the_202_is_told(mariadb: MariaServer, zipkin_on_mariadb: ZipkinServer) -> None:
    """Zipkin's own count grows; the relay shows it. The last of these tests: it ends the MariaDB."""
    mariadb.close()
    assert zipkin_on_mariadb.api.post(join([compress(encode(make_span()))])).status == 202
    wait_until(lambda: zipkin_on_mariadb.api.spans_dropped() == 1, "the loss to be counted", seconds=60)
