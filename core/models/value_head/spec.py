"""Which model runs in this process, where it runs, and how much of each medium it is given."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from core.nouns import Noun


class MediaLimits(Noun):
    """What one response or context medium may take of the backbone's context; passed with every call.

    Omni processors ignore the sizes that are stored with their video part, so nothing is left to them.
    """

    image_pixels: int = Field(default=1_003_520, ge=784, description="Larger images are reduced to so many pixels.")
    frame_pixels: int = Field(default=200_704, ge=784, description="Larger video frames are reduced to so many pixels.")
    frames: int = Field(default=16, ge=1, le=32, description="Most frames of one video.")
    audio_seconds: float = Field(default=300.0, gt=0.0, le=300.0, description="Longer sound is refused, never cut.")
    tokens: int = Field(default=32_768, ge=16, description="Longer inputs are refused, never cut.")


class ModelSpec(Noun):
    """An omni model that is run here. Nothing is set until `model` is.

    No code that comes with a checkpoint is ever run; backbones that need theirs are refused by name.
    """

    prefix: ClassVar[str]  # of the settings' names, so that an error can say which one to change

    model: str = Field(default="", description="Folder of the model, or its id on the Hugging Face Hub.")
    revision: str | None = Field(default=None, description="Commit, tag or branch on the Hub; a commit never changes.")
    dtype: Literal["auto", "float32", "bfloat16", "float16", "nf4"] = Field(
        default="auto",
        description="Precision of the backbone; auto is bfloat16 on a GPU, float32 on a CPU; nf4 is auto with the "
        "language model's weights in 4 bits.",
    )
    device: str = Field(
        default="auto",
        pattern=r"^(auto|spread|cpu|mps|cuda(:\d+)?)$",
        description="cpu, cuda, cuda:1, mps; auto is the GPU where there is one; spread is over all GPUs.",
    )
    batch_size: int = Field(default=4, ge=1, le=256, description="Inputs that are read at once; halved where too many.")
    media: MediaLimits = Field(default_factory=MediaLimits, description="What each medium may take of the context.")

    @field_validator("revision", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        # an environment variable can be set to nothing, but not to None
        return None if value == "" else value

    @classmethod
    def setting(cls, name: str) -> str:
        """The environment variable of a field, such as MEDIA__FRAMES."""
        return f"{cls.prefix}__{name}"


class RewardHeadSpec(ModelSpec):
    """A reward model: a backbone checkpoint with `value_head.safetensors` beside it."""

    prefix = "STUDIO_REWARD_HEAD"

    tie_threshold: float = Field(default=0.0, ge=0.0, description="A tie where the rewards differ by at most so much.")
    tie_weight: float = Field(
        default=0.0, ge=0.0, description="Weight of ties in the probabilities; 0 is Bradley-Terry."
    )
