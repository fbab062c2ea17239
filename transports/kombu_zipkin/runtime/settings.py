"""Settings from the environment and ``.env``, checked when a program starts."""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from dotenv import dotenv_values
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from kombu_zipkin.errors import ConfigurationError

Port = Annotated[int, Field(ge=0, le=65535)]
_T = TypeVar("_T", bound="ProgramSettings")


class ProgramSettings(BaseSettings):
    """Base of every program's settings: a field is a variable of the same name in capitals.

    A class that sets ``prefix`` owns every variable that begins with it, so a misspelt one is an error.
    """

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True)

    @classmethod
    def owned_prefix(cls) -> str:
        """Return the beginning of the variables that only this program reads, empty for none."""
        return ""

    @classmethod
    def variables(cls) -> dict[str, str]:
        """Return every variable and the field it sets."""
        return {name.upper(): name for name in cls.model_fields}


def load(settings: type[_T], **given: Any) -> _T:
    """Read and check the settings.

    Args:
        settings: Which ones.
        given: Values from the command line by field; None leaves the variable or default in place.

    Raises:
        ConfigurationError: A variable is wrong or unknown; one line that names it, its value and what was expected.
    """
    _refuse_unknown(settings)
    chosen = {name: value for name, value in given.items() if value is not None}
    try:
        return settings(**chosen)
    except ValidationError as error:
        problem = error.errors()[0]
        variable = str(problem["loc"][0]).upper() if problem["loc"] else settings.__name__
        raise ConfigurationError(f"{variable}: {_expected(problem)}, got {_shown(problem['input'])}") from error


def _refuse_unknown(settings: type[ProgramSettings]) -> None:
    prefix, known = settings.owned_prefix(), settings.variables()
    present: Mapping[str, object] = {**(dotenv_values(".env") if Path(".env").is_file() else {}), **os.environ}
    for name in present:
        if prefix and name.upper().startswith(prefix) and name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.0)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigurationError(f"{name}: expected a variable that this program knows{hint}")


def _expected(problem: Any) -> str:
    """Say what was expected, from pydantic's own description of the problem."""
    bounds = problem.get("ctx", {})
    limits = [
        f"{word} {bounds[key]}"
        for key, word in (("ge", "at least"), ("gt", "above"), ("le", "at most"), ("lt", "below"))
        if key in bounds
    ]
    if limits:
        return f"expected {' and '.join(limits)}"
    message = str(problem["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    return message if message.startswith("expected") else f"expected {message}"


def _shown(value: object) -> str:
    text = repr(value)
    return "a URL with credentials" if "@" in text else text[:80]
