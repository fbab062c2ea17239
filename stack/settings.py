"""The stack's settings."""

from pathlib import Path

from pydantic import Field

from kombu_zipkin.runtime import ProgramSettings


class StackSettings(ProgramSettings):
    """What ``python -m stack`` reads from the environment; the programs inherit the rest."""

    redis_url: str | None = Field(None, description="A Redis to use; without one the stack starts its own.")
    zipkin_url: str | None = Field(None, description="A Zipkin to use; without one the stack starts its own.")
    producer_port: int = Field(5000, ge=1, le=65535, description="Port of the web app; the next free one if taken.")
    worker_port: int = Field(
        5001, ge=1, le=65535, description="Port of the worker's pages; the next free one if taken."
    )
    relay_port: int = Field(5002, ge=1, le=65535, description="Port of the relay's pages; the next free one if taken.")
    worker_lease_seconds: float = Field(
        10.0, ge=2, le=3600, description="The worker's lease, so short that one can watch a killed worker's job return."
    )
    relay_claim_after: float = Field(
        3.0, ge=1, le=3600, description="Seconds after which the relay takes over what a killed one held."
    )
    stack_redis_port: int = Field(6390, ge=1, le=65535, description="Port of the stack's own Redis.")
    stack_zipkin_port: int = Field(9411, ge=1, le=65535, description="Port of the stack's own Zipkin.")
    stack_data: Path = Field(
        Path(".stack"), description="Folder of the stack's own Redis, the servers' logs and the programs' process ids."
    )
    stack_cache: Path | None = Field(
        None, description="Folder of Zipkin's jar; without one, kombu-zipkin in the user's cache folder."
    )
    stack_maven_url: str | None = Field(None, description="A Maven repository to fetch Zipkin from, such as a mirror.")

    @classmethod
    def owned_prefix(cls) -> str:
        """Return the prefix that only the stack reads."""
        return "STACK_"
