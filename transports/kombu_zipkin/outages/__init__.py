"""How this library behaves while a server is away: it waits longer each time, and says so once."""

from kombu_zipkin.outages.address import is_http_address, public_address
from kombu_zipkin.outages.backoff import Backoff
from kombu_zipkin.outages.outage import Outage

__all__ = ["Backoff", "Outage", "is_http_address", "public_address"]
