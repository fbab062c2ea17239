"""The program that carries spans from the Redis Stream to Zipkin."""

from kombu_zipkin.relay.relay import Relay
from kombu_zipkin.relay.settings import RelaySettings

__all__ = ["Relay", "RelaySettings"]
