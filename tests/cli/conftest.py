"""For the tests of the terminal."""

from tests.system.conftest import sink_url

__all__ = ["sink_url"]
