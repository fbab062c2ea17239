"""The relay's settings."""

from pydantic import Field

from kombu_zipkin.runtime import ProgramSettings
from kombu_zipkin.spans import DEFAULT_STREAM


class RelaySettings(ProgramSettings):
    """What the relay reads from the environment."""

    redis_url: str = Field("redis://localhost:6379/0", description="The Redis that holds the span stream.")
    zipkin_url: str = Field("http://localhost:9411", description="Zipkin's address.")
    zipkin_token: str | None = Field(None, description="A Bearer token for Zipkin; user and password go into its URL.")
    zipkin_ca_file: str | None = Field(None, description="Certificates to trust for https, in PEM; else the system's.")
    spans_stream: str = Field(DEFAULT_STREAM, min_length=1, description="Name of the span stream.")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")
    relay_host: str = Field("127.0.0.1", description="Where /health, /ready and /metrics listen.")
    relay_port: int = Field(5002, ge=0, le=65535, description="Their port; 0 takes a free one.")
    relay_post_spans: int = Field(10_000, ge=1, le=100_000, description="Most spans in one POST to Zipkin.")
    relay_post_bytes: int = Field(
        4 * 1024 * 1024,
        ge=1024,
        le=9 * 1024 * 1024,
        description="Most compressed bytes in one POST; Zipkin takes 10 MiB.",
    )
    relay_posts: int = Field(
        4, ge=1, le=32, description="Most POSTs in flight; it begins with one, and goes by how quickly Zipkin answers."
    )
    relay_post_timeout: float = Field(15.0, gt=0, le=120, description="Seconds for one POST.")
    relay_claim_after: float = Field(
        20.0, ge=1, le=3600, description="Seconds after which entries that a silent relay holds are taken over."
    )

    @classmethod
    def owned_prefix(cls) -> str:
        """Return the prefix that only the relay reads."""
        return "RELAY_"
