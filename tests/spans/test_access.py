"""Redis users with least rights, as docs/operations.md grants them; and TLS."""

import re
from pathlib import Path

import pytest
import trustme

from kombu_zipkin.errors import StreamUnavailable
from kombu_zipkin.spans import (
    DeadLetters,
    DeadRecord,
    ProducerReport,
    RedisStreamTransport,
    Settlement,
    SpanGroup,
    SpanStream,
    read_ledger,
)
from tests.servers import VARIANTS, RedisServer, find_variant
from tests.servers.waiting import free_port
from tests.spans.conftest import RedisVariants
from tests.spans.making import make_spans
from tests.spans.test_ledger import entry

DOCUMENT = Path(__file__).parents[2] / "docs" / "operations.md"
USERS = dict(re.findall(r"^ACL SETUSER (spans-\w+) (.*)$", DOCUMENT.read_text(), re.MULTILINE))


@pytest.fixture(params=VARIANTS)
def redis_server(request: pytest.FixtureRequest, redis_variants: RedisVariants) -> RedisServer:
    """Every test here runs on each kind of server."""
    return redis_variants(request.param)


def grant(server: RedisServer, namespace: str, user: str, but: str = "") -> str:
    """Make one of the document's users for a stream, without one right; return its URL."""
    rules = [rule for rule in USERS[user].replace("zipkin-spans", namespace).split() if rule != but]
    assert len(rules) == len(USERS[user].split()) - bool(but)
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", f"{namespace}-{user}", "reset", *rules)
    return server.url.replace("redis://", f"redis://{namespace}-{user}:secret@")


def test_the_users_of_the_document_can_do_their_work(redis_server: RedisServer, namespace: str) -> None:
    """From a handed-over span to a replayed dead letter and closed books."""
    assert set(USERS) == {"spans-producer", "spans-relay", "spans-operator"}
    producer, relay, operator = (grant(redis_server, namespace, user) for user in USERS)
    transport = RedisStreamTransport(producer, stream=namespace, budget_policy="drop_oldest")
    transport.report(make_spans(3))
    assert transport.close(10).acknowledged == 3
    group = SpanGroup(relay, "relay-1", stream=namespace)
    assert group.claim(10, 0) == []
    (received,) = group.read(10, 100)
    group.renew([received])
    assert group.settle([Settlement(received, 2, [DeadRecord(1, ["reason", "refused", "span", b"{}"])])]) == 1
    group.tidy()
    assert group.leave()
    assert group.oldest_ms() is None
    group.close()
    dead = DeadLetters(operator, stream=namespace)
    assert dead.replay(everything=True).letters == 1
    assert dead.purge(everything=True).letters == 0
    dead.close()
    ledger = read_ledger(operator, stream=namespace)
    assert (ledger.difference, ledger.waiting) == (0, 1)


IN_SCRIPTS = [
    (user, right)
    for user in ("spans-producer", "spans-relay")
    for right in re.findall(r" (\+(?!evalsha|script)[\w|]+)", USERS[user])
    if right not in ("+xreadgroup", "+xautoclaim", "+xgroup|create", "+xgroup|createconsumer", "+xinfo|consumers")
]


@pytest.mark.parametrize(("user", "right"), IN_SCRIPTS)
def test_a_right_that_lacks_is_named_and_nothing_is_counted(
    redis_variants: RedisVariants, namespace: str, user: str, right: str
) -> None:
    """Scripts do not roll back, so they do not begin either."""
    named = right.removeprefix("+").replace("|", " ").upper()
    for variant in VARIANTS:
        server = redis_variants(variant)
        url = grant(server, namespace, user, but=right)
        with pytest.raises(StreamUnavailable, match=f"the Redis user may not run {named}; grant it"):
            use(user, url, namespace)
        assert read_ledger(server.url, stream=namespace).totals == {}


def use(user: str, url: str, stream: str) -> None:
    """Do the first thing that a producer or a relay does by a script."""
    used = SpanStream(url, stream=stream) if user == "spans-producer" else SpanGroup(url, "relay-1", stream=stream)
    try:
        if isinstance(used, SpanStream):
            used.append(entry(1), ProducerReport(3, 0, {}))
        else:
            used.leave()
    finally:
        used.close()


def test_a_user_of_another_stream_is_told_so(redis_server: RedisServer, namespace: str) -> None:
    """Keys are a right too."""
    url = grant(redis_server, namespace, "spans-producer")
    stream = SpanStream(url, stream=f"other-{namespace}")
    with pytest.raises(StreamUnavailable, match=f"append 3 spans to {{other-{namespace}}}:stream"):
        stream.append(entry(1), ProducerReport(3, 0, {}))
    stream.close()


def test_spans_travel_over_tls(tmp_path: Path) -> None:
    """With a CA of one's own in the URL; one that is not trusted is refused."""
    program = find_variant("redis-7")
    if program is None:
        pytest.skip("no redis-server on PATH; those of the wheels are built without TLS")
    ca = trustme.CA()
    authority, key, chain = (tmp_path / name for name in ("ca.pem", "key.pem", "chain.pem"))
    certificate = ca.issue_cert("localhost", "127.0.0.1")
    ca.cert_pem.write_to_path(str(authority))
    certificate.private_key_pem.write_to_path(str(key))
    certificate.cert_chain_pems[0].write_to_path(str(chain))
    port = free_port()
    options = ["--tls-port", str(port), "--tls-cert-file", str(chain), "--tls-key-file", str(key)]
    server = RedisServer(
        tmp_path, program, [*options, "--tls-ca-cert-file", str(authority), "--tls-auth-clients", "no"]
    )
    try:
        url = f"rediss://localhost:{port}/0?ssl_ca_certs={authority}"
        transport = RedisStreamTransport(url)
        transport.report(make_spans(3))
        assert transport.close(10).acknowledged == 3
        group = SpanGroup(url, "relay-1")
        (received,) = group.read(10, 1000)
        assert group.settle([Settlement(received, 3)]) == 1
        group.close()
        assert read_ledger(url).difference == 0
        with pytest.raises(StreamUnavailable, match="certificate verify failed"):
            read_ledger(f"rediss://localhost:{port}/0")
    finally:
        server.close()
