"""The recipe: everything that decides what the starter learns, in one file of values (recipe.yaml)."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import Field, ValidationError

from core.errors import BadInput
from core.nouns import Modality, Noun

DEFAULT = Path(__file__).with_name("recipe.yaml")


class Preparation(Noun):
    """How evidence is prepared from real files: counts are upper bounds, strengths are of the controlled changes."""

    files: dict[Modality, int]
    variants: dict[Modality, int]
    changes: int = 3
    mild: tuple[float, float] = (0.25, 0.45)
    strong: tuple[float, float] = (0.6, 1.0)
    picture_side: int = 448
    audio_seconds: float = 4.0
    clip_frames: int = 32
    text_words: tuple[int, int] = (40, 260)
    pairs_per_source: int = 500


class Shape(Noun):
    """Sizes of the network; see `StarterConfig`."""

    vocab_size: int = 14000
    num_hidden_layers: int = 6
    decoder_size: int = 256
    mixture_size: int = 128
    dropout: float = 0.1


class Steps(Noun):
    """The optimiser's schedule: AdamW, linear warm-up, cosine to zero."""

    steps: int = 1200
    criteria: int = Field(default=18, description="criteria of each modality in a step")
    pairs: int = Field(default=16, description="pairs of each criterion")
    encoder_rate: float = 2e-4
    head_rate: float = 1.5e-3
    weight_decay: float = 0.03
    warm_up: float = 0.05
    evidence_noise: float = 0.02
    word_drop: float = 0.06
    coverage_weight: float = 0.5
    end_weight: float = 0.5
    warm_steps: int = Field(default=500, description="steps of the decoder alone, before any text is read")
    human_share: float = 0.25
    probe_wordings: int = Field(default=50, description="wordings of each end that the first reading is fitted on")
    probe_steps: int = 800
    reading_rate: float = Field(default=2e-4, description="encoder's rate while only wordings are read")
    reading_minutes: float = Field(default=25.0, description="reading wordings alone, which needs no evidence")
    reading_steps: int = 2400
    reading_wordings: int = 64
    minutes: float = Field(default=60.0, description="training stops here and still anneals, whatever the machine")
    checkpoint_every: int = 200
    evaluate_every: int = 200


class Recipe(Noun):
    """A whole training run."""

    seed: int = 7
    threads: int = 2
    workers: int = 2
    modalities: tuple[Modality, ...] = tuple(Modality)
    leave_out: tuple[str, ...] = ()
    # measures that training files cannot teach: all alike there, and otherwise on real uploads
    leave_out_measures: dict[Modality, tuple[str, ...]] = Field(default_factory=dict)
    leave_out_licences: str = r"(?i)\bnc\b|non.?commercial|research use"
    preparation: Preparation
    shape: Shape = Shape()
    training: Steps = Steps()

    @classmethod
    def read(cls, path: Path | None = None) -> Recipe:
        """Read a YAML file (the shipped recipe where None); BadInput names the field that does not fit."""
        path = path or DEFAULT
        try:
            return cls.model_validate(yaml.safe_load(path.read_text("utf-8")))
        except (OSError, yaml.YAMLError, ValidationError) as error:
            raise BadInput(f"The recipe {path.name!r} cannot be used: {error}") from error
