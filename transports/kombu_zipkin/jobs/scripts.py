"""The Lua scripts beside this file."""

from importlib.resources import files


def read_script(*names: str) -> str:
    """Return the text of a script; of several, one after the other."""
    folder = files("kombu_zipkin.jobs")
    return "".join((folder / f"{name}.lua").read_text("utf-8") for name in names)
