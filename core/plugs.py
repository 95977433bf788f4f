"""A folder is a shelf: {file name: its PLUG}. One file adds a modality, a judge, a format, a bench or a job."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from typing import TypeVar

from core.errors import NotFound

Plug = TypeVar("Plug")


class Shelf(Mapping[str, Plug]):
    """The plugs of one package, by file name. Listing the names imports nothing; taking one imports its file.

    Files and folders whose name starts with an underscore are not plugs.
    """

    def __init__(self, package: str, noun: str) -> None:
        self.package, self.noun = package, noun

    def _names(self) -> list[str]:
        folder = importlib.import_module(self.package).__path__
        return sorted(module.name for module in pkgutil.iter_modules(folder) if not module.name.startswith("_"))

    def __getitem__(self, name: str) -> Plug:
        if name not in self._names():
            raise NotFound(f"There is no {self.noun} {name!r}; there are: {', '.join(self._names()) or 'none'}.")
        return importlib.import_module(f"{self.package}.{name}").PLUG

    def __contains__(self, name: object) -> bool:
        return name in self._names()

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())
