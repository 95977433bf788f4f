"""Ready-made judges: a published model with the way it is asked, told by a file of presets.

A preset says what the model is; the backend's own settings say where it runs and under which limits. Presets never
fetch weights: whoever looks after the machine does that, once, knowingly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import Field, ValidationError, model_validator

from core.errors import BadInput, JudgeFailed
from core.judges import JUDGES, ConfigurableBackend, Judge
from core.modalities import Limits
from core.models.value_head.four_bit import estimated
from core.models.value_head.hub import complete_folder
from core.models.value_head.spec import ModelSpec
from core.nouns import Noun

SHIPPED = Path(__file__).resolve().parents[1] / "assets" / "judges.yaml"

# where a request goes, and with which key, is the settings' business: a key must not follow a preset elsewhere
_NOT_THE_PRESETS = {"model", "revision", "base_url", "api_key", "proxy"}

Spec = TypeVar("Spec", bound=Noun)
Memory = Callable[[], tuple[int, ...]]


class Preset(Noun):
    """One ready-made judge. `settings` are fields of its backend's spec, and take the place of the settings' own."""

    id: str = Field(pattern=r"^[a-z0-9]+([.-][a-z0-9]+)*$", max_length=60)
    title: str = Field(min_length=1, max_length=80)
    about: str = Field(min_length=1)
    backend: Literal["endpoint", "generative", "reward_head"]
    model: str = Field(default="", description="Folder, or id on the Hub; the served name for an endpoint.")
    revision: str | None = Field(default=None, description="Commit, tag or branch on the Hub.")
    licence: str = Field(min_length=1)
    memory_gb: float | None = Field(default=None, gt=0.0, description="Estimate: weights, and room for one pair.")
    blocked: str = Field(default="", description="Why it cannot run anywhere yet.")
    settings: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _can_be_bound(self) -> Preset:
        if self.id in JUDGES:
            raise ValueError(f"{self.id!r} is a judge of its own; choose another id")
        if refused := sorted(_NOT_THE_PRESETS & set(self.settings)):
            raise ValueError(f"settings may not hold {', '.join(refused)}")
        if not self.model and not self.blocked:
            raise ValueError("a preset names its model, or says in `blocked` why it does not")
        if self.backend == "endpoint" and (self.revision is not None or self.memory_gb is not None):
            raise ValueError("an endpoint has no revision and takes no memory here")
        if self.backend != "endpoint" and self.memory_gb is None:
            raise ValueError("a model that runs here needs an estimate of its memory, memory_gb")
        return self

    def bound(self, spec: Spec) -> Spec:
        """The backend's spec with what the preset says. Raises ValidationError where that does not fit it."""
        given: dict[str, Any] = spec.model_dump()
        for name, value in self.settings.items():
            nested = isinstance(value, Mapping) and isinstance(given.get(name), Mapping)
            given[name] = {**given[name], **value} if nested else value
        own: dict[str, Any] = {"model": self.model}
        if self.backend != "endpoint":
            own["revision"] = self.revision
        return type(spec).model_validate(given | own)


def read_presets(specs: Mapping[str, Noun], own: Path | None = None) -> dict[str, Preset]:
    """The shipped presets and those of an admin's own file by id; there, an id that is known replaces it.

    `specs` are the settings of the backends, by which each preset is checked. Raises BadInput that names file, preset
    and field.
    """
    presets: dict[str, Preset] = {}
    for path in (SHIPPED, *([own] if own is not None else [])):
        found = [_checked(entry, number, path, specs) for number, entry in enumerate(_entries(path), start=1)]
        ids = [preset.id for preset in found]
        if twice := sorted({one for one in ids if ids.count(one) > 1}):
            raise BadInput(f"{path.name} has {', '.join(twice)} more than once; keep one of each.")
        presets |= {preset.id: preset for preset in found}
    return presets


def _entries(path: Path) -> Iterator[Any]:
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"The presets in {path.name} cannot be read: {' '.join(str(error).split())[:200]}.") from error
    if not isinstance(read, list):
        raise BadInput(f"{path.name} should be a list of presets, each beginning with “- id: …”.")
    yield from read


def _checked(entry: Any, number: int, path: Path, specs: Mapping[str, Noun]) -> Preset:
    name = entry.get("id", number) if isinstance(entry, dict) else number
    try:
        preset = Preset.model_validate(entry)
        preset.bound(specs[preset.backend])
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        said = f"{place}: {first['msg']}" if place else first["msg"]
        raise BadInput(f"The preset {name} of {path.name} cannot be used: {said}.") from error
    return preset


class PresetBackend:
    """A preset as a judge backend: its model, bound to its backend. `memory` tells the bytes of each GPU here."""

    def __init__(self, preset: Preset, spec: Noun, limits: Limits, memory: Memory) -> None:
        self.preset, self.spec, self.limits, self._memory = preset, preset.bound(spec), limits, memory
        self._backend: ConfigurableBackend = JUDGES[preset.backend]  # type: ignore[assignment]
        self.title, self.modalities = preset.title, self._backend.modalities
        self.gpu: bool = getattr(self._backend, "gpu", False)
        room = f" About {self._gigabytes} GB." if preset.memory_gb else ""
        self.about = f"{preset.about}{room} Licence: {preset.licence}"

    def size(self) -> int:
        """Bytes in memory, as estimated; 0 for a model that runs elsewhere."""
        size = int((self.preset.memory_gb or 0.0) * 1e9)
        return estimated(size, self.spec.dtype) if isinstance(self.spec, ModelSpec) else size

    @property
    def _gigabytes(self) -> str:
        return f"{self.size() / 1e9:.3g}"

    def unavailable(self) -> str | None:
        """Why it cannot run here and what to do. Loads nothing, fetches nothing, asks nobody."""
        if self.preset.blocked:
            return self.preset.blocked
        if not isinstance(self.spec, ModelSpec):
            return self._backend.configured(self.spec, self.limits).unavailable()
        if reason := self._no_room(self.spec):
            return reason
        folder = complete_folder(self.spec)
        if folder is None:
            at = f" --revision {self.spec.revision}" if self.spec.revision else ""
            return (
                f"Its weights are not on this machine. To fetch them (they take about {self.preset.memory_gb:g} GB): "
                f"hf download {self.spec.model}{at}"
            )
        return self._local(folder).unavailable()

    def load(self, model: Path | str | None = None) -> Judge:
        """The preset's model, from this machine. Raises JudgeFailed or MissingExtra."""
        if model is not None:
            raise JudgeFailed(f"{self.preset.id} is one model; choose {self.preset.backend} for another.")
        if reason := self.unavailable():
            raise JudgeFailed(reason)
        folder = complete_folder(self.spec) if isinstance(self.spec, ModelSpec) else None
        judge = self._local(folder).load()
        judge.name = self.preset.id
        return judge

    def _local(self, folder: Path | None) -> Any:
        """The backend bound to the preset, its model in `folder` where it is on this machine."""
        spec = self.spec if folder is None else self.spec.model_copy(update={"model": str(folder)})
        return self._backend.configured(spec, self.limits)

    def _no_room(self, spec: ModelSpec) -> str | None:
        """Why no GPU here can hold it; None where one can, or where the settings name another device."""
        if not spec.device.startswith(("auto", "cuda", "spread")):
            return None
        gpus, wanted = self._memory(), self.size()
        if not gpus:
            return (
                f"There is no GPU here, and it wants one with about {self._gigabytes} GB. Serve the model "
                f"elsewhere and ask it with the judge endpoint, or set {spec.setting('DEVICE')}=cpu and be patient."
            )
        room = sum(gpus) if spec.device == "spread" else max(gpus)
        if room < wanted:
            return (
                f"It wants a GPU with about {self._gigabytes} GB, and here there are {room / 1e9:.3g}; serve "
                f"it elsewhere, or set {spec.setting('DEVICE')} to spread or cpu."
            )
        return None
