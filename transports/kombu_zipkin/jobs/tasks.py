"""A task: a function that jobs run, and what is known of it."""

import importlib
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, get_type_hints, overload

from kombu_zipkin.errors import ConfigurationError
from kombu_zipkin.jobs.docstrings import purpose
from kombu_zipkin.jobs.keys import DEFAULT_QUEUE
from kombu_zipkin.jobs.parameters import Parameters
from kombu_zipkin.tracing import Tracer

if TYPE_CHECKING:
    from kombu_zipkin.jobs.publisher import JobPublisher

_P = ParamSpec("_P")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class Retry:
    """How often, and how soon, a failed job is tried again: exponential back-off with full jitter.

    Args:
        limit: Attempts after the first; 0 for none.
        first_ms: Upper bound of the first wait, in milliseconds; it doubles each time.
        longest_ms: Upper bound of any wait, in milliseconds.

    Raises:
        ConfigurationError: A number is out of range.
    """

    limit: int = 0
    first_ms: int = 1000
    longest_ms: int = 60_000

    def __post_init__(self) -> None:
        if not 0 <= self.limit <= 1000 or not 1 <= self.first_ms <= self.longest_ms:
            raise ConfigurationError(
                f"Retry: expected 0 <= limit <= 1000 and 1 <= first_ms <= longest_ms, got {self.limit}, "
                f"{self.first_ms}, {self.longest_ms}"
            )


@dataclass(frozen=True, slots=True)
class JobContext:
    """What a task may know of the job it runs; a task asks for it by a parameter of this type.

    Attributes:
        job_id: The job's id.
        attempt: Number of this attempt, from 1.
        publisher: Publishes further jobs, in the same trace.
        tracer: Opens further spans.
    """

    job_id: str
    attempt: int
    publisher: "JobPublisher"
    tracer: Tracer


@dataclass(frozen=True)
class Task(Generic[_P, _R]):
    """A function with a name, a queue and a retry rule. Calling it calls the function, as in a test of it.

    Attributes:
        function: What runs.
        name: What publishers call it.
        queue: Where its jobs wait.
        retry: What happens when it raises.
        span_name: Name of its CONSUMER span; None for ``process <name>``.
        parameters: What a job may give it.
        context_parameter: The parameter that takes the `JobContext`; None without one.
    """

    function: Callable[_P, _R]
    name: str
    queue: str
    retry: Retry
    span_name: str | None
    parameters: Parameters = field(repr=False)
    context_parameter: str | None

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """Call the function."""
        return self.function(*args, **kwargs)

    @property
    def doc(self) -> str:
        """What the function's docstring says before it tells of parameters; empty without one."""
        return purpose(inspect.getdoc(self.function))


@overload
def task(function: Callable[_P, _R], /) -> Task[_P, _R]: ...
@overload
def task(
    *, name: str | None = None, queue: str | None = None, retry: Retry = ..., span_name: str | None = None
) -> Callable[[Callable[_P, _R]], Task[_P, _R]]: ...
def task(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    queue: str | None = None,
    retry: Retry | None = None,
    span_name: str | None = None,
) -> Any:
    """Make a function a task: ``@task`` or ``@task(retry=Retry(limit=5))``.

    Args:
        function: The function, when used without parentheses.
        name: What publishers call it; None for the function's name.
        queue: Where its jobs wait; None for ``jobs``.
        retry: What happens when it raises; None for no second attempt.
        span_name: Name of its CONSUMER span; None for ``process <name>``.

    Raises:
        ConfigurationError: A parameter has no name, or a type that JSON cannot carry.
    """

    def make(wrapped: Callable[..., Any]) -> Task[..., Any]:
        if inspect.iscoroutinefunction(wrapped):
            raise ConfigurationError(f"task {wrapped.__name__}: expected a plain function, got a coroutine function")
        known = name or wrapped.__name__
        context = _context_parameter(wrapped)
        parameters = Parameters.of(known, wrapped, frozenset({context} if context else ()))
        return Task(wrapped, known, queue or DEFAULT_QUEUE, retry or Retry(), span_name, parameters, context)

    return make if function is None else make(function)


def collect_tasks(modules: Iterable[str]) -> list[Task[..., Any]]:
    """Import modules and return the tasks they define or import.

    Raises:
        ConfigurationError: A module cannot be imported, none holds a task, or two tasks share a name.
    """
    found: dict[str, Task[..., Any]] = {}
    for module_name in modules:
        try:
            module = importlib.import_module(module_name)
        except ImportError as error:
            raise ConfigurationError(f"module {module_name}: {error}; is it importable from this folder?") from error
        for each in vars(module).values():
            if isinstance(each, Task) and found.setdefault(each.name, each) is not each:
                raise ConfigurationError(f"module {module_name}: a second task is named {each.name}")
    if not found:
        raise ConfigurationError(f"modules {', '.join(modules)}: expected functions decorated with @task, found none")
    return list(found.values())


def _context_parameter(function: Callable[..., Any]) -> str | None:
    hints = get_type_hints(function)
    return next((name for name, hint in hints.items() if hint is JobContext), None)
