"""Which traces Zipkin has."""

from tests.servers import Programs, ZipkinServer


def test_those_that_are_there_are_known(system: Programs, zipkin: ZipkinServer) -> None:
    """Of many, of one, of none; what is no id is none of them."""
    ids = [system.get("/demo")[1]["trace_id"] for _ in range(3)]
    for each in ids:
        zipkin.wait_for_trace(each, 6)
    absent = "a" * 32
    assert zipkin.api.known([*ids, absent, "nonsense"]) == set(ids)
    assert zipkin.api.known(ids[:1]) == set(ids[:1])
    assert zipkin.api.known([absent]) == set()
    assert zipkin.api.known([]) == set()
