"""What the pages and the API have in common: publish, look up, count."""

from collections.abc import Mapping
from typing import Any

from kombu_zipkin.errors import BrokerUnavailable, InvalidJob
from kombu_zipkin.jobs import Job, JobPage, JobPublisher, JobRecords, JobState, Pace, TaskEntry
from kombu_zipkin.runtime import Metrics
from producer.repair import Repair


class JobService:
    """Jobs as the web app deals with them. Any thread may use it.

    Args:
        publisher: Puts jobs into the queue.
        records: Tells what became of them.
        metrics: Where to count.
        repair: Has jobs run again; None where the queue is in no Redis.
    """

    def __init__(
        self, publisher: JobPublisher, records: JobRecords, metrics: Metrics, repair: Repair | None = None
    ) -> None:
        self._repair = repair
        self._publisher = publisher
        self._records = records
        self._metrics = metrics

    def publish(self, task: str, arguments: Mapping[str, Any], *, job_id: str | None = None, delay_ms: int = 0) -> Job:
        """Publish a job, and count it or why not.

        Args:
            task: Name of the task.
            arguments: Its arguments.
            job_id: The job's id; None makes one.
            delay_ms: Milliseconds before it may start.

        Raises:
            InvalidJob: The task is unknown or does not take these arguments.
            BrokerUnavailable: The queue does not answer.
        """
        try:
            clash = {"job_id", "delay_ms"} & arguments.keys()
            if clash:
                raise InvalidJob(f"{task}: {clash.pop()} is not an argument of it")
            job = self._publisher.publish(task, job_id=job_id, delay_ms=delay_ms, **arguments)
        except InvalidJob:
            self._metrics.jobs_refused.labels("invalid").inc()
            raise
        except BrokerUnavailable:
            self._metrics.jobs_refused.labels("queue_unavailable").inc()
            raise
        self._metrics.jobs_published.labels(job.task).inc()
        return job

    def tasks(self) -> Mapping[str, TaskEntry]:
        """Return the announced tasks by name.

        Raises:
            BrokerUnavailable: Redis does not answer.
        """
        return self._publisher.catalogue.all()

    def get(self, job_id: str) -> Job | None:
        """Return one job; None when it is unknown.

        Raises:
            BrokerUnavailable: Redis does not answer.
        """
        return self._records.get(job_id)

    def latest(self, limit: int) -> list[Job]:
        """Return the jobs published last, newest first.

        Raises:
            BrokerUnavailable: Redis does not answer.
        """
        return self._records.latest(limit)

    def page(self, state: JobState | None, task: str | None, after: str | None, limit: int) -> JobPage:
        """Return a page of jobs, newest first.

        Raises:
            InvalidJob: ``after`` is no page's end.
            BrokerUnavailable: Redis does not answer.
        """
        return self._records.page(state=state, task=task, after=after, limit=limit)

    def counts(self) -> Mapping[JobState, int]:
        """Return how many jobs are in each state.

        Raises:
            BrokerUnavailable: Redis does not answer.
        """
        return self._records.counts()

    def pace(self) -> Pace:
        """Return how many jobs a second came and went of late.

        Raises:
            BrokerUnavailable: Redis does not answer.
        """
        return self._records.pace()

    def of_trace(self, trace_id: str) -> list[Job]:
        """Return the jobs of a trace, oldest first.

        Raises:
            BrokerUnavailable: Redis does not answer.
        """
        return self._records.of_trace(trace_id)

    def retry(self, job: Job) -> bool:
        """Have a job that waits, or is dead, run again now; False where it is neither.

        Raises:
            BrokerUnavailable: Redis does not answer.
        """
        return self._repair is not None and self._repair.retry(job)

    @property
    def can_retry(self) -> bool:
        """Whether jobs can be had run again from here."""
        return self._repair is not None

    def faults(self) -> Mapping[str, str]:
        """Return what keeps the app from its work, found by a real read."""
        try:
            self._records.latest(1)
        except BrokerUnavailable as error:
            return {"redis": str(error)}
        return {}
