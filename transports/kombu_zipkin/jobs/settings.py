"""A worker's settings."""

from pydantic import Field

from kombu_zipkin.jobs.keys import DEFAULT_NAMESPACE
from kombu_zipkin.runtime import ProgramSettings


class WorkerSettings(ProgramSettings):
    """What a worker reads from the environment."""

    redis_url: str = Field(
        "redis://localhost:6379/0", description="The Redis that holds spans, records and, by default, the queue."
    )
    broker_url: str | None = Field(None, description="The queue's broker, redis:// or amqp://; REDIS_URL without one.")
    spans_stream: str = Field("zipkin-spans", min_length=1, description="Name of the span stream.")
    jobs_namespace: str = Field(DEFAULT_NAMESPACE, min_length=1, description="Prefix of the jobs' keys in Redis.")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")
    worker_service: str = Field("worker", min_length=1, description="Service name in Zipkin.")
    worker_concurrency: int = Field(8, ge=1, le=64, description="How many jobs run at a time.")
    worker_drain_seconds: float = Field(
        20.0,
        ge=0,
        le=3600,
        description="How long running jobs may go on after SIGTERM; what is unfinished runs again elsewhere.",
    )
    worker_lease_seconds: float = Field(
        60.0,
        ge=2,
        le=3600,
        description="After this long without a sign of life a worker's jobs go to another; the same for all workers.",
    )
    worker_host: str = Field("127.0.0.1", description="Where /health, /ready and /metrics listen.")
    worker_port: int = Field(5001, ge=0, le=65535, description="Their port; 0 takes a free one.")
    sample_rate: float = Field(1.0, ge=0, le=1, description="Share of the traces that begin here and are reported.")

    @classmethod
    def owned_prefix(cls) -> str:
        """Return the prefix that only the worker reads."""
        return "WORKER_"
