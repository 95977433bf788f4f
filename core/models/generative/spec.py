"""Which chat model judges, and how it is asked."""

from __future__ import annotations

from pydantic import Field

from core.models.prompts import PromptStyle
from core.models.value_head.spec import ModelSpec


class GenerativeSpec(ModelSpec):
    """A chat model that writes its verdict. Greedy unless `temperature` is above 0."""

    prefix = "STUDIO_GENERATIVE"

    style: PromptStyle = Field(
        default=PromptStyle.R1, description="r1 or plain for any chat model; rrm or rubric for Omni-RRM."
    )
    ties: bool = Field(default=True, description="Whether the judge may answer that neither response is better.")
    samples: int = Field(default=1, ge=1, le=32, description="Answers asked for in each of the two orders.")
    temperature: float = Field(default=0.0, ge=0.0, le=2.0, description="0 is greedy: the likeliest word each time.")
    seed: int = Field(default=0, ge=0, description="Of the chance with which answers are drawn.")
    max_tokens: int = Field(default=1024, ge=1, le=32768, description="Longest answer.")
    constrain: bool = Field(
        default=True,
        description="With rrm and rubric: only a whole record whose verdict fits its scores can be written.",
    )
    force: bool = Field(
        default=True,
        description="With r1 and plain: an answer that reaches its longest has to choose then, by how likely each "
        "verdict is; else it counts as unreadable.",
    )

    def problem(self) -> str | None:
        """What does not fit together, and what to do; None where all does."""
        if self.samples > 1 and self.temperature == 0.0:
            return (
                f"{self.setting('SAMPLES')} above 1 needs {self.setting('TEMPERATURE')} above 0: at 0 every answer is "
                "the same."
            )
        return None
