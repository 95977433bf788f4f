"""A kind's typed spec as a form and as a command line: both are made from its fields, so they cannot disagree."""

from __future__ import annotations

import json
import shlex
import types
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from app.job_tools import absolute
from core.benches import BENCHES
from core.engines import ENGINES
from core.errors import BadInput
from core.jobs import KINDS
from core.judges import JUDGES
from core.nouns import Noun

_SHELVES: Mapping[str, Iterable[str]] = {"judges": JUDGES, "benches": BENCHES, "engines": ENGINES}
AT_ONCE = 8  # fields that are shown; the rest is under "more"


class FormField(Noun):
    """One field of a form. `default` is as it is typed; `required` ones have none. `choices` may be typed over where
    the field is `open`, as one is that names something of a `shelf`: there may be more than what the program ships."""

    name: str
    label: str
    help: str
    kind: Literal["text", "number", "whole", "yes_no", "choice"]
    default: str | float | int | bool | None = None
    required: bool = False
    choices: tuple[str, ...] = ()
    open: bool = False
    shelf: str = ""


def fields_of(kind: str) -> list[FormField]:
    """The fields of a kind's spec in their order. Raises NotFound."""
    return [_field(name, info) for name, info in KINDS[kind].Spec.model_fields.items()]


def _field(name: str, info: FieldInfo) -> FormField:
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    shelf = _SHELVES.get(str(extra.get("shelf")))
    form, choices = ("choice", tuple(shelf)) if shelf is not None else _form(info.annotation)
    default = None if info.is_required() else info.get_default(call_default_factory=True)
    return FormField(
        name=name,
        label=name.replace("_", " ").capitalize(),
        help=info.description or "",
        kind=form,
        default=default if isinstance(default, (bool, int, float)) else typed(default),
        required=info.is_required(),
        choices=choices,
        open=shelf is not None,
        shelf=str(extra.get("shelf", "")),
    )


def _form(annotation: Any) -> tuple[Any, tuple[str, ...]]:
    """How a type is asked for. What is none of these is typed as JSON."""
    if get_origin(annotation) in (Union, types.UnionType):
        others = [one for one in get_args(annotation) if one is not type(None)]
        return _form(others[0]) if len(others) == 1 else ("text", ())
    if get_origin(annotation) is Literal:
        return "choice", tuple(str(one) for one in get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return "choice", tuple(one.value for one in annotation)
    return {bool: "yes_no", int: "whole", float: "number"}.get(annotation, "text"), ()


def typed(value: Any) -> str | None:
    """A value as a person would type it, read back by `read_spec`."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple, dict, set, frozenset, Noun)):
        plain = value.model_dump(mode="json") if isinstance(value, Noun) else value
        return json.dumps(list(plain) if isinstance(plain, (set, frozenset)) else plain, default=str)
    return str(value)


def read_spec(kind: str, given: Mapping[str, Any]) -> Noun:
    """The spec of what was given, typed or as values; empty means the default. Sources become absolute paths.

    Raises NotFound for a kind, BadInput with the first field that cannot be used and why.
    """
    spec = KINDS[kind].Spec
    unknown = [name for name in given if name not in spec.model_fields]
    if unknown:
        raise BadInput(f"{unknown[0]!r} is no setting of {kind}; there are: {', '.join(spec.model_fields)}.")
    values = {name: _read(spec.model_fields[name], value) for name, value in given.items() if value not in (None, "")}
    try:
        made = spec.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{where or kind}: {first['msg'].removeprefix('Value error, ')}.") from error
    return made.model_copy(
        update={
            name: absolute(getattr(made, name))
            for name, info in spec.model_fields.items()
            if isinstance(info.json_schema_extra, dict)
            and info.json_schema_extra.get("path")
            and isinstance(getattr(made, name), str)
        }
    )


def _read(info: FieldInfo, value: Any) -> Any:
    # only what is no plain text, number or choice was typed as JSON
    if (
        isinstance(value, str)
        and value[:1] in "[{"
        and _form(info.annotation)[0] == "text"
        and info.annotation is not str
    ):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value.strip() if isinstance(value, str) else value


def command_line(kind: str, spec: Noun) -> str:
    """The command that queues the same job. What has its default value is left out."""
    words = ["python", "-m", "app", "jobs", "add", kind]
    for name, info in type(spec).model_fields.items():
        value = getattr(spec, name)
        if info.is_required() or value != info.get_default(call_default_factory=True):
            words += [f"--{name.replace('_', '-')}", "" if value is None else typed(value) or ""]
    return shlex.join(words)
