"""Types out of the JSON Schemas that workers announce, so that a publisher checks what it has no code of."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Union

from pydantic import Field

_PLAIN: Final[Mapping[str, Any]] = {
    "integer": int, "number": float, "string": str, "boolean": bool, "object": dict, "null": None,
}  # fmt: skip
_BOUNDS: Final[Mapping[str, str]] = {
    "minimum": "ge", "exclusiveMinimum": "gt", "maximum": "le", "exclusiveMaximum": "lt",
    "minLength": "min_length", "maxLength": "max_length", "minItems": "min_length", "maxItems": "max_length",
}  # fmt: skip


def type_of(schema: Mapping[str, Any]) -> Any:
    """Return a type that takes what the schema takes; ``Any`` where it says more than is known here.

    Source: JSON Schema 2020-12, of which pydantic writes a part.
    """
    if "enum" in schema:
        return Literal[tuple(schema["enum"])]
    if "const" in schema:
        return Literal[schema["const"]]
    if "anyOf" in schema:
        return Union[tuple(type_of(each) for each in schema["anyOf"])]  # noqa: UP007 - of types known only now
    kind = schema.get("type")
    if kind == "array":
        plain: Any = list[type_of(schema.get("items", {}))]  # type: ignore[misc] # of a type known only now
    elif isinstance(kind, str) and kind in _PLAIN:
        plain = _PLAIN[kind]
    else:
        return Any
    bounds = {_BOUNDS[name]: schema[name] for name in _BOUNDS if name in schema}
    return Annotated[plain, Field(**bounds)] if bounds else plain


def may_be_text(schema: Mapping[str, Any]) -> bool:
    """Whether text is among what the schema takes."""
    return schema.get("type") == "string" or any(may_be_text(each) for each in schema.get("anyOf", ()))
