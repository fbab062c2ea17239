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
    def index(self) -> str:
        """Sorted set: job ids by the epoch milliseconds of their publishing."""
        return f"{self.namespace}.records"

    def queue(self, name: str) -> str:
        """List: kombu's, of the jobs that wait in a queue."""
        return f"{self.namespace}:{name}"

    def record(self, job_id: str) -> str:
        """Hash: one job's record."""
        return f"{self.namespace}.record:{job_id}"

    @property
    def delayed(self) -> str:
        """Sorted set: whole messages by the epoch milliseconds at which they are due."""
        return f"{self.namespace}.delayed"
