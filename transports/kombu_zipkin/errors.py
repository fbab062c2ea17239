"""Every error this library raises, a class for each reaction of the caller.

::

    KombuZipkinError
    ├── ConfigurationError    a setting or argument is wrong: correct it and start again
    ├── InvalidJob            the job is wrong: correct it, do not repeat it
    │   ├── UnknownTask       no worker has announced a task of that name
    │   ├── InvalidArguments  the task does not take these arguments
    │   └── JobTooLarge       the message would be larger than the queue takes
    ├── Unavailable           a server does not answer: try again later
    │   ├── BrokerUnavailable the queue's Redis (or RabbitMQ)
    │   ├── StreamUnavailable the span stream's Redis
    │   └── ZipkinUnavailable Zipkin
    └── ZipkinRefused         Zipkin answered, and said no: the request is wrong
"""

from collections.abc import Mapping


class KombuZipkinError(Exception):
    """Base of every error of this library."""


class ConfigurationError(KombuZipkinError):
    """A setting or an argument is wrong; the message names it, its value and what was expected."""


class InvalidJob(KombuZipkinError):
    """The job cannot be published as it is; repeating it would fail again."""


class UnknownTask(InvalidJob):
    """No worker has announced a task of that name."""


class InvalidArguments(InvalidJob):
    """The task does not take these arguments.

    Attributes:
        faults: What is wrong with each argument, by its name; empty where it is none's in particular.
    """

    def __init__(self, message: str, faults: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.faults = faults or {}


class JobTooLarge(InvalidJob):
    """The message would be larger than the queue takes."""


class Unavailable(KombuZipkinError):
    """A server does not answer; the same call may succeed later."""


class BrokerUnavailable(Unavailable):
    """The queue's server does not answer."""


class StreamUnavailable(Unavailable):
    """The span stream's Redis does not answer, or refuses to write."""


class ZipkinUnavailable(Unavailable):
    """Zipkin does not answer, or says that it cannot right now."""


class ZipkinRefused(KombuZipkinError):
    """Zipkin answered with an error that a repetition would not change.

    Attributes:
        status: The HTTP status.
        text: What Zipkin said, shortened.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"Zipkin answered {status}: {text}")
        self.status = status
        self.text = text
