"""The web app's settings."""

from pydantic import Field

from kombu_zipkin.runtime import ProgramSettings


class ProducerSettings(ProgramSettings):
    """What the web app reads from the environment."""

    redis_url: str = Field(
        "redis://localhost:6379/0", description="The Redis that holds spans, records and, by default, the queue."
    )
    broker_url: str | None = Field(None, description="The queue's broker, redis:// or amqp://; REDIS_URL without one.")
    zipkin_url: str = Field("http://localhost:9411", description="Zipkin's address.")
    zipkin_public_url: str | None = Field(None, description="Zipkin's address in a browser; ZIPKIN_URL without one.")
    spans_stream: str = Field("zipkin-spans", min_length=1, description="Name of the span stream.")
    jobs_namespace: str = Field("kombu-zipkin", min_length=1, description="Prefix of the jobs' keys in Redis.")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")
    producer_service: str = Field("webapp", min_length=1, description="Service name in Zipkin.")
    producer_host: str = Field("127.0.0.1", description="Where the web app listens.")
    producer_port: int = Field(5000, ge=1, le=65535, description="Its port.")
    producer_threads: int = Field(8, ge=1, le=256, description="Requests served at a time.")
    producer_trusted: bool = Field(
        True, description="Whether to go by the trace headers of incoming requests; false at the edge to strangers."
    )
    producer_token: str | None = Field(
        None, min_length=8, description="An access token that pages and API ask for; without one everybody may."
    )
    sample_rate: float = Field(1.0, ge=0, le=1, description="Share of the traces that begin here and are reported.")

    @classmethod
    def owned_prefix(cls) -> str:
        """Return the prefix that only the web app reads."""
        return "PRODUCER_"
