"""Tasks, and the jobs that run them: publisher, consumer, records."""

try:
    import pydantic as _pydantic
except ImportError as error:  # pragma: no cover - needs an environment without the extra
    raise ImportError(f"kombu_zipkin.jobs needs {error.name}: pip install 'kombu-zipkin[jobs]'") from error

from kombu_zipkin.jobs.catalogue import Catalogue, TaskEntry, read_catalogue
from kombu_zipkin.jobs.consumer import JobConsumer
from kombu_zipkin.jobs.dead_jobs import DeadJob, DeadJobs, each_of
from kombu_zipkin.jobs.delays import Delays, opened_delays
from kombu_zipkin.jobs.job import Attempt, Job, JobState
from kombu_zipkin.jobs.parameters import Parameter, Parameters
from kombu_zipkin.jobs.publisher import LONGEST_DELAY_MS, JobPublisher
from kombu_zipkin.jobs.queues import Queues, QueueState, opened_queues
from kombu_zipkin.jobs.records import JobPage, JobRecords, Pace
from kombu_zipkin.jobs.settings import WorkerSettings
from kombu_zipkin.jobs.tasks import JobContext, Retry, Task, collect_tasks, task

del _pydantic

__all__ = [
    "LONGEST_DELAY_MS",
    "Attempt",
    "Catalogue",
    "DeadJob",
    "DeadJobs",
    "Delays",
    "Job",
    "JobConsumer",
    "JobContext",
    "JobPage",
    "JobPublisher",
    "JobRecords",
    "JobState",
    "Pace",
    "Parameter",
    "Parameters",
    "QueueState",
    "Queues",
    "Retry",
    "Task",
    "TaskEntry",
    "WorkerSettings",
    "collect_tasks",
    "each_of",
    "opened_delays",
    "opened_queues",
    "read_catalogue",
    "task",
]
