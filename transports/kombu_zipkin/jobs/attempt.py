"""One attempt at one job: run its task inside its trace, and settle the message whatever happens."""

import logging
import random
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kombu import Message

from kombu_zipkin.errors import InvalidArguments, UnknownTask
from kombu_zipkin.jobs.dead_letters import bury
from kombu_zipkin.jobs.delays import Delays
from kombu_zipkin.jobs.job import ATTEMPT, Job, JobMessage, JobState, MalformedJob, read_body
from kombu_zipkin.jobs.leases import Leases
from kombu_zipkin.jobs.publisher import JobPublisher
from kombu_zipkin.jobs.records import JobRecords
from kombu_zipkin.jobs.tasks import JobContext, Retry, Task
from kombu_zipkin.messaging import BACK_OFF, SENT, received, sent_seconds
from kombu_zipkin.runtime import Metrics
from kombu_zipkin.tracing import ActiveSpan, Tracer

_log = logging.getLogger(__name__)

_HOPELESS: Final = (InvalidArguments, UnknownTask)
"""Failures that another attempt would only repeat."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What every attempt of a worker needs.

    Attributes:
        tasks: By name.
        tracer: Makes the spans.
        broker: The broker's service name in Zipkin.
        records: Told of every change.
        publisher: For tasks that publish jobs.
        delays: Where retries wait; None where the broker keeps none.
        leases: Told of every message in hand.
        metrics: Where to count.
    """

    tasks: Mapping[str, Task[..., Any]]
    tracer: Tracer
    broker: str
    records: JobRecords
    publisher: JobPublisher
    delays: Delays | None
    leases: Leases
    metrics: Metrics


class AttemptRunner:
    """Handles the messages of one consumer thread. A job is acknowledged after its work, or after its dead letter.

    Raises nothing but what the broker's connection raises; then the message is delivered again.
    """

    traces_itself: Final = True

    def __init__(self, workshop: Workshop) -> None:
        self._shop = workshop

    def __call__(self, message: Message) -> None:
        """Run one job."""
        try:
            job_message = read_body(message.body, message.content_type)
        except MalformedJob as fault:
            self.malformed(message, fault)
            return
        task = self._shop.tasks.get(job_message.task)
        subject = f"process {job_message.task:.80}"
        name = task.span_name if task is not None and task.span_name else subject
        headers = dict(message.headers)
        with (
            self._shop.leases.held(message.delivery_tag),
            received(message, self._shop.tracer, name=name, broker=self._shop.broker, subject=subject) as span,
        ):
            _Attempt(self._shop, message, headers, span, job_message, task).run()

    def malformed(self, message: Message, fault: Exception) -> None:
        """Put a message that holds no job, or that kombu could not open, into the dead-letter queue."""
        bury(message, dict(message.headers), f"malformed message: {fault}")
        message.ack()
        self._shop.metrics.jobs_finished.labels("", "malformed").inc()
        _log.warning("malformed message: %s; it is in the dead-letter queue now", fault)


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
    ) -> None:
        self._shop = shop
        self._message = message
        self._headers = headers
        self._span = span
        self._task = task
        number = headers.get(ATTEMPT)
        self._number = number if type(number) is int and number > 0 else 1
        self._job = _job(job_message, message, span)

    def run(self) -> None:
        job, span, metrics = self._job, self._span, self._shop.metrics
        span.tag("job.id", job.id)
        span.tag("job.task", job.task)
        span.tag("job.attempt", self._number)
        sent_at = sent_seconds(self._headers)
        if sent_at is not None:
            metrics.job_wait.observe(max(0.0, time.time() - sent_at))
        self._record(lambda records: records.running(job, self._number))
        begun = time.perf_counter()
        with metrics.jobs_running.track_inprogress():
            try:
                result = self._call()
            except BaseException as error:  # noqa: BLE001 - whatever a task raises, its message is settled
                self._failed(error)
            else:
                self._succeeded(result, time.perf_counter() - begun)
        metrics.job_run.labels(self._known_task()).observe(time.perf_counter() - begun)

    def _call(self) -> object:
        task = self._task
        if task is None:
            known = ", ".join(sorted(self._shop.tasks))
            raise UnknownTask(f"task {self._job.task!r:.80}: this worker knows {known}")
        arguments = task.parameters.check(self._job.arguments)
        if task.context_parameter is not None:
            context = JobContext(self._job.id, self._number, self._shop.publisher, self._shop.tracer)
            arguments[task.context_parameter] = context
        return task.function(**arguments)

    def _succeeded(self, result: object, seconds: float) -> None:
        self._record(lambda records: records.succeeded(self._job, result))
        self._message.ack()
        self._ended("acknowledged")
        _log.info("job %s %s succeeded in %.3f s", self._job.id, self._job.task, seconds)

    def _failed(self, error: BaseException) -> None:
        self._span.fail(error)
        retry = self._task.retry if self._task is not None else Retry()
        if self._number <= retry.limit and not isinstance(error, _HOPELESS) and self._shop.delays is not None:
            self._try_again(error, retry, self._shop.delays)
        else:
            self._dead_letter(error)

    def _try_again(self, error: BaseException, retry: Retry, delays: Delays) -> None:
        """Put the job into the waiting room, then acknowledge: a crash between repeats it, and loses nothing."""
        bound = min(retry.longest_ms, retry.first_ms * 2 ** min(self._number - 1, 32))
        wait_ms = random.randint(min(bound, 10), bound)  # noqa: S311 - full jitter
        now = time.time()
        due = now + wait_ms / 1000
        own = {name: value for name, value in self._headers.items() if name != "compression"}  # the body is opened
        again = {**own, ATTEMPT: self._number + 1, BACK_OFF: int(now * 1_000_000)}
        again[SENT] = int(due * 1_000_000)
        delays.add(self._message.body, again, self._job.queue, self._job.id, int(due * 1000))
        self._record(lambda records: records.waiting(self._job, _words(error), _where(error)))
        Message.ack(self._message)
        self._span.annotate(f"retry in {wait_ms} ms")
        self._ended("retried")
        _log.info("job %s %s failed: %s; retry in %d ms", self._job.id, self._job.task, _words(error), wait_ms)

    def _dead_letter(self, error: BaseException) -> None:
        """Publish the dead letter, then acknowledge: a crash between the two makes two of them, and loses nothing."""
        bury(self._message, {**self._headers, ATTEMPT: self._number}, _words(error))
        self._record(lambda records: records.dead_lettered(self._job, _words(error), _where(error)))
        Message.ack(self._message)
        self._span.annotate("dead-lettered")
        self._ended("dead_lettered")
        _log.warning("job %s %s dead-lettered: %s", self._job.id, self._job.task, _words(error))

    def _ended(self, outcome: str) -> None:
        self._span.tag("job.outcome", outcome)
        self._shop.metrics.jobs_finished.labels(self._known_task(), outcome).inc()

    def _known_task(self) -> str:
        """The task's name for a metric, empty for a stranger's: those must not fill the page."""
        return self._job.task if self._task is not None else ""

    def _record(self, write: Callable[[JobRecords], None]) -> None:
        """Write the record; the job does not depend on it."""
        try:
            write(self._shop.records)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a record, the message is settled
            _log.warning("record of job %s not written: %s; the job goes on", self._job.id, error)


def _job(read: JobMessage, message: Message, span: ActiveSpan) -> Job:
    queue = str(message.delivery_info.get("routing_key") or "")
    trace_id, sampled = span.context.trace_id, bool(span.context.sampled)
    created = read.created_ms or int(time.time() * 1000)
    return Job(read.id, read.task, read.arguments, queue, JobState.RUNNING, trace_id, sampled, created)


def _words(error: BaseException) -> str:
    """Write an error by type and message, whatever its text holds or does."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - somebody's __str__
        text = "(its text cannot be made)"
    return _writable(f"{type(error).__name__}: {text}")


def _where(error: BaseException) -> str:
    return _writable("".join(traceback.format_exception(error)))


def _writable(text: str) -> str:
    """Replace what UTF-8 cannot carry, such as the lone surrogates of an undecodable file name."""
    return text.encode("utf-8", "replace").decode()
