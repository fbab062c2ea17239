"""One attempt at one job: run its task inside its trace, and say how its message ends."""

import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from kombu import Message

from kombu_zipkin.broker import LOST, claimed_seconds
from kombu_zipkin.errors import InvalidArguments, UnknownTask
from kombu_zipkin.jobs import changes
from kombu_zipkin.jobs.changes import Change, now_ms
from kombu_zipkin.jobs.endings import Ending, dead_letter, in_words, retry, where
from kombu_zipkin.jobs.job import ATTEMPT, Attempt, Job, JobMessage, JobState, MalformedJob, read_body
from kombu_zipkin.jobs.publisher import JobPublisher
from kombu_zipkin.jobs.tasks import JobContext, Retry, Task
from kombu_zipkin.messaging import Delivery, received, sent_seconds
from kombu_zipkin.runtime import Metrics
from kombu_zipkin.tracing import ActiveSpan, Tracer

_log = logging.getLogger(__name__)

_HOPELESS: Final = (InvalidArguments, UnknownTask)
"""Failures that another attempt would only repeat."""

_MAX_LOST: Final = 10
"""A job that took so many workers with it is not given another."""


class WorkerLost(Exception):
    """Every attempt at a job was lost with its worker."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What every attempt of a worker needs.

    Attributes:
        tasks: By name.
        tracer: Makes the spans.
        broker: The broker's service name in Zipkin.
        publisher: For tasks that publish jobs.
        begun: Told of each attempt that begins, with the change of its record.
        metrics: Where to count.
    """

    tasks: Mapping[str, Task[..., Any]]
    tracer: Tracer
    broker: str
    publisher: JobPublisher
    begun: Callable[[Change], None]
    metrics: Metrics


class AttemptRunner:
    """Runs the jobs of messages. Any thread may call; it raises nothing, and settles nothing: the caller does."""

    def __init__(self, workshop: Workshop) -> None:
        self._shop = workshop

    def run(self, message: Message) -> Ending:
        """Run one job, and return how its message ends."""
        try:
            job_message = read_body(message.body, message.content_type)
        except MalformedJob as fault:
            return self.malformed(message, fault)
        task = self._shop.tasks.get(job_message.task)
        subject = f"process {job_message.task:.80}"
        name = task.span_name if task is not None and task.span_name else subject
        headers = dict(message.headers)
        lost, this = _deliveries(message)
        with received(
            message,
            self._shop.tracer,
            name=name,
            broker=self._shop.broker,
            subject=subject,
            earlier=lost,
            delivery=this,
        ) as span:
            return _Attempt(self._shop, message, headers, span, job_message, task, lost).run()

    def malformed(self, message: Message, fault: Exception) -> Ending:
        """Make a dead letter of a message that holds no job, or that kombu could not open."""
        self._shop.metrics.jobs_finished.labels("", "malformed").inc()
        _log.warning("malformed message: %s; it goes to the dead-letter queue", fault)
        return Ending(None, dead_letter(message, dict(message.headers or {}), f"malformed message: {fault}"))


class _Attempt:
    """What is known of one attempt while it runs."""

    def __init__(
        self,
        shop: Workshop,
        message: Message,
        headers: dict[str, Any],
        span: ActiveSpan,
        job_message: JobMessage,
        task: Task[..., Any] | None,
        lost: list[Delivery],
    ) -> None:
        self._shop = shop
        self._message = message
        self._headers = headers
        self._span = span
        self._task = task
        self._lost = lost
        number = headers.get(ATTEMPT)
        self._header_number = number if type(number) is int and number > 0 else 1
        self._attempt = Attempt(self._header_number + len(lost), now_ms())
        self._job = _job(job_message, message, span)

    def run(self) -> Ending:
        job, span, metrics = self._job, self._span, self._shop.metrics
        span.tag("job.id", job.id)
        span.tag("job.task", job.task)
        span.tag("job.attempt", self._attempt.number)
        sent_at = sent_seconds(self._headers)
        if sent_at is not None:
            metrics.job_wait.observe(max(0.0, time.time() - sent_at))
        self._tell_of_lost()
        self._shop.begun(changes.running(job, self._attempt))
        metrics.jobs_started.labels(self._known_task()).inc()
        begun = time.perf_counter()
        with metrics.jobs_running.track_inprogress():
            try:
                result = self._call()
            except BaseException as error:  # noqa: BLE001 - whatever a task raises, its message is settled
                ending = self._failed(error)
            else:
                ending = self._succeeded(result, time.perf_counter() - begun)
        metrics.job_run.labels(self._known_task()).observe(time.perf_counter() - begun)
        return ending

    def _tell_of_lost(self) -> None:
        for number, delivery in enumerate(self._lost, self._header_number):
            told = Attempt(number, int(delivery.at * 1000), None, "lost", delivery.reason)
            self._shop.begun(changes.lost(self._job, told))
        if self._lost:
            self._shop.metrics.jobs_lost.inc(len(self._lost))
            _log.warning("job %s %s: %s; attempt %d", self._job.id, self._job.task, self._lost[-1].reason,
                         self._attempt.number)  # fmt: skip

    def _call(self) -> object:
        task = self._task
        if task is None:
            known = ", ".join(sorted(self._shop.tasks))
            raise UnknownTask(f"task {self._job.task!r:.80}: this worker knows {known}")
        if len(self._lost) >= _MAX_LOST:
            raise WorkerLost(f"{len(self._lost)} workers were lost at this job; it may be what kills them")
        arguments = task.parameters.check(self._job.arguments)
        if task.context_parameter is not None:
            context = JobContext(self._job.id, self._attempt.number, self._shop.publisher, self._shop.tracer)
            arguments[task.context_parameter] = context
        return task.function(**arguments)

    def _succeeded(self, result: object, seconds: float) -> Ending:
        self._ended("acknowledged", "acknowledged")
        _log.info("job %s %s succeeded in %.3f s", self._job.id, self._job.task, seconds)
        return Ending(changes.succeeded(self._job, self._over("acknowledged"), result))

    def _failed(self, error: BaseException) -> Ending:
        self._span.fail(error)
        policy = self._task.retry if self._task is not None else Retry()
        if self._header_number <= policy.limit and not isinstance(error, (*_HOPELESS, WorkerLost)):
            return self._try_again(error, policy)
        return self._dead_letter(error)

    def _try_again(self, error: BaseException, policy: Retry) -> Ending:
        bound = min(policy.longest_ms, policy.first_ms * 2 ** min(self._header_number - 1, 32))
        wait_ms = random.randint(min(bound, 10), bound)  # noqa: S311 - full jitter
        due_ms, said = now_ms() + wait_ms, in_words(error)
        body, next_number = self._message.body, self._attempt.number + 1
        onward = retry(body, self._headers, self._job.queue, self._job.id, next_number, due_ms)
        self._ended("retried", f"retry in {wait_ms} ms")
        _log.info("job %s %s failed: %s; retry in %d ms", self._job.id, self._job.task, said, wait_ms)
        change = changes.waiting(self._job, self._over("retried", said), where(error), due_ms)
        return Ending(change, onward)

    def _dead_letter(self, error: BaseException) -> Ending:
        said, trace = in_words(error), where(error)
        onward = dead_letter(self._message, {**self._headers, ATTEMPT: self._attempt.number}, said, trace)
        self._ended("dead_lettered", "dead-lettered")
        _log.warning("job %s %s dead-lettered: %s", self._job.id, self._job.task, said)
        return Ending(changes.dead_lettered(self._job, self._over("dead_lettered", said), trace), onward)

    def _over(self, outcome: str, error: str | None = None) -> Attempt:
        return replace(self._attempt, ended_ms=now_ms(), outcome=outcome, error=error)

    def _ended(self, outcome: str, note: str) -> None:
        self._span.tag("job.outcome", outcome)
        self._span.annotate(note)
        self._shop.metrics.jobs_finished.labels(self._known_task(), outcome).inc()

    def _known_task(self) -> str:
        """The task's name for a metric, empty for a stranger's: those must not fill the page."""
        return self._job.task if self._task is not None else ""


def _deliveries(message: Message) -> tuple[list[Delivery], Delivery | None]:
    """Which deliveries of this message were lost, in order, and this one; as our own broker tells."""
    info = message.delivery_info
    told = info.get(LOST, {})
    lost = [Delivery(tag, at, str(why)) for tag, why in told.items() if (at := claimed_seconds(tag)) is not None]
    at = claimed_seconds(message.delivery_tag) if isinstance(message.delivery_tag, str) else None
    return sorted(lost, key=lambda each: each.at), None if at is None else Delivery(message.delivery_tag, at)


def _job(read: JobMessage, message: Message, span: ActiveSpan) -> Job:
    queue = str(message.delivery_info.get("routing_key") or "")
    trace_id, sampled = span.context.trace_id, bool(span.context.sampled)
    return Job(
        read.id, read.task, read.arguments, queue, JobState.RUNNING, trace_id, sampled, read.created_ms or now_ms()
    )
