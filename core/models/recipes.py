"""Reading a training recipe: one YAML file of values, checked as the noun that it is."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from core.errors import BadInput

Kind = TypeVar("Kind", bound=BaseModel)


def read_recipe(kind: type[Kind], path: Path) -> Kind:
    """The recipe in a YAML file; BadInput names the field that does not fit."""
    try:
        return kind.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise BadInput(f"The recipe {path.name!r} cannot be used: {error}") from error
