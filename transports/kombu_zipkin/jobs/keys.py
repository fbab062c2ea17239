"""Every Redis key of the jobs, with its type.

The queues themselves are kombu's lists, named ``<namespace>:<queue>``; the dot here keeps ours apart from any queue.
"""

from dataclasses import dataclass
from typing import Final

DEFAULT_NAMESPACE: Final = "kombu-zipkin"
DEFAULT_QUEUE: Final = "jobs"


@dataclass(frozen=True, slots=True)
class JobKeys:
    """The keys of one system of publishers and workers.

    Args:
        namespace: Prefix of all of them.
    """

    namespace: str = DEFAULT_NAMESPACE

    @property
    def tasks(self) -> str:
        """Hash: task name to its catalogue entry, JSON."""
        return f"{self.namespace}.catalogue"

    @property
    def workers(self) -> str:
        """Sorted set: names of workers by the epoch seconds of their last sign of life."""
        return f"{self.namespace}.workers"

    @property
    def index(self) -> str:
        """Sorted set: job ids by the epoch milliseconds of their publishing."""
        return f"{self.namespace}.records"

    def queue(self, name: str) -> str:
        """List: kombu's, of the jobs that wait in a queue."""
        return f"{self.namespace}:{name}"

    @property
    def unacked_index(self) -> str:
        """Sorted set: kombu's, of the claimed messages."""
        return f"{self.namespace}:unacked_index"

    def record(self, job_id: str) -> str:
        """Hash: one job's record."""
        return f"{self.index}:job:{job_id}"

    def of_trace(self, trace_id: str) -> str:
        """Set: ids of the jobs of one trace."""
        return f"{self.index}:trace:{trace_id}"

    def in_state(self, state: str, task: str | None = None) -> str:
        """Sorted set: job ids by the epoch milliseconds at which they came into a state; of one task, or of all."""
        return f"{self.index}:state:{state}" + ("" if task is None else f":{task}")

    def published(self, job_id: str) -> str:
        """Text: a job id that a caller chose was published; only where the broker keeps no records."""
        return f"{self.namespace}.published:{job_id}"

    @property
    def delayed(self) -> str:
        """Sorted set: whole messages by the epoch milliseconds at which they are due."""
        return f"{self.namespace}.delayed"
