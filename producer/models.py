"""What the JSON API takes and gives: the models that check it, and of which its OpenAPI document is written."""

from typing import Annotated, Any, Final

from flask import url_for
from pydantic import BaseModel, ConfigDict, Field

from kombu_zipkin.jobs import LONGEST_DELAY_MS, Job, JobState, TaskEntry
from kombu_zipkin.zipkin import ZipkinLinks

MAX_LIMIT: Final = 500

JobId = Annotated[str, Field(pattern="^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$", examples=["order-7"])]
EpochMs = Annotated[int, Field(ge=0, description="Milliseconds since 1970.")]


class NewJob(BaseModel):
    """A job to post."""

    model_config = ConfigDict(extra="forbid", strict=True)

    task: str = Field(description="Name of the task.", examples=["do_stuff"])
    arguments: dict[str, Any] = Field({}, description="Its arguments by name.", examples=[{"seconds": 0.1}])
    delay_ms: int = Field(0, ge=0, le=LONGEST_DELAY_MS, description="Milliseconds before it may start.")
    id: JobId | None = Field(None, description="The job's id; one that was posted before is not posted again.")


class JobQuery(BaseModel):
    """Which jobs to list."""

    limit: int = Field(50, ge=1, le=MAX_LIMIT, description="How many at most.")
    state: JobState | None = Field(None, description="Only jobs in this state.")
    task: str | None = Field(None, description="Only jobs of this task.")
    after: str | None = Field(None, description="The `next` of the page before.", pattern="^[0-9]{1,15}-")


class Links(BaseModel):
    """Where more of a job is to be seen."""

    self: str = Field(description="The job in this API.")
    trace: str | None = Field(description="Its trace in Zipkin; null where it is not sampled.")


class PostedJob(BaseModel):
    """A job that the queue has."""

    id: JobId
    trace_id: str | None = Field(description="Of the trace it was posted in.")
    state: JobState
    links: Links

    @classmethod
    def of(cls, job: Job, links: ZipkinLinks) -> "PostedJob":
        """Tell of a job that was published."""
        return cls(id=job.id, trace_id=job.trace_id, state=job.state, links=_links(job, links))


class Attempt(BaseModel):
    """One attempt at a job."""

    number: int
    started_ms: EpochMs
    ended_ms: EpochMs | None
    outcome: str = Field(description="running, acknowledged, retried, dead_lettered or lost")
    error: str | None


class WholeJob(PostedJob):
    """A job with all that is known of it."""

    task: str
    arguments: dict[str, Any]
    queue: str
    sampled: bool = Field(description="Whether its trace is reported.")
    attempts: int = Field(description="How many attempts have begun.")
    created_ms: EpochMs
    due_ms: EpochMs | None = Field(description="Until when a waiting job waits.")
    started_ms: EpochMs | None = Field(description="When the last attempt began.")
    finished_ms: EpochMs | None
    result: Any = Field(description="What the task returned.")
    error: str | None = Field(description="What went wrong in the last attempt.")
    history: list[Attempt]

    @classmethod
    def of(cls, job: Job, links: ZipkinLinks) -> "WholeJob":
        """Tell all of a job."""
        names = cls.model_fields.keys() - {"links", "history"}
        history = [Attempt.model_validate(attempt, from_attributes=True) for attempt in job.history]
        return cls(links=_links(job, links), history=history, **{name: getattr(job, name) for name in names})


class JobList(BaseModel):
    """A page of jobs, newest first."""

    jobs: list[WholeJob]
    next: str | None = Field(description="`after` of the next page; null on the last one.")


class ParameterView(BaseModel):
    """One parameter of a task."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    name: str
    json_schema: dict[str, Any] = Field(alias="schema", description="JSON Schema of its values; empty for any.")
    required: bool
    default: Any
    doc: str


class TaskView(BaseModel):
    """A task that a worker has announced."""

    name: str
    queue: str
    doc: str
    parameters: list[ParameterView]
    is_running: bool = Field(description="Whether a worker that runs it gave a sign of life in the last 90 seconds.")
    seen_ms: EpochMs

    @classmethod
    def of(cls, entry: TaskEntry) -> "TaskView":
        """Tell of a task."""
        parameters = [
            ParameterView(
                name=each.name, json_schema=each.schema, required=each.required, default=each.default, doc=each.doc
            )
            for each in entry.parameters.all
        ]
        return cls(
            name=entry.name,
            queue=entry.queue,
            doc=entry.doc,
            parameters=parameters,
            is_running=entry.is_alive,
            seen_ms=int(entry.seen * 1000),
        )


class TaskList(BaseModel):
    """The announced tasks."""

    tasks: list[TaskView]


class Fault(BaseModel):
    """What is wrong with one member of what was sent."""

    pointer: str = Field(description="Where, as a JSON Pointer.", examples=["/arguments/seconds"])
    detail: str


class Problem(BaseModel):
    """Why a request was not done. Source: RFC 9457."""

    title: str
    status: int
    detail: str = Field(description="What was expected, in a sentence.")
    errors: list[Fault] = Field([], description="What is wrong with which member.")


def _links(job: Job, links: ZipkinLinks) -> Links:
    trace = links.trace(job.trace_id) if job.trace_id is not None and job.sampled else None
    return Links(self=url_for("api_job", job_id=job.id), trace=trace)
