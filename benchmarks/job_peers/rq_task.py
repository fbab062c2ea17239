"""rq's job, in a module that the worker can import."""


def noop(n: int) -> None:
    """Do nothing."""
