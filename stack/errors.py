"""What keeps the stack, or a part of it, from starting."""


class StackError(Exception):
    """The stack cannot go on; the message says why and what to do."""


class Missing(StackError):
    """A part is not here and cannot be fetched; the rest runs without it."""
