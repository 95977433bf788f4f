"""The field's nouns as frozen pydantic models: they validate, rows in storage/ only hold.

Words as in Omni-Reward (arXiv 2510.23451): a preference pair is (criterion c, prompt x, responses y1 and y2)
with a preference p; a judge gives each response a reward r(c, x, y).
"""

from __future__ import annotations

import hashlib
import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from core.errors import BadInput


class Noun(BaseModel):
    """A frozen value that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("must be a finite number")
    return value


Finite = Annotated[float, AfterValidator(_finite)]
Probability = Annotated[float, Field(ge=0.0, le=1.0)]


class Modality(StrEnum):
    """What a response is made of. The value is the name of the file on the shelf core/modalities/."""

    TEXT = "text"
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    MESH = "mesh"

    @property
    def label(self) -> str:
        return "3D" if self is Modality.MESH else self.value.capitalize()


class Task(StrEnum):
    """Input modalities to response modality: the nine tasks of Omni-RewardBench."""

    T2T = "t2t"
    TI2T = "ti2t"
    TV2T = "tv2t"
    TA2T = "ta2t"
    T2I = "t2i"
    T2V = "t2v"
    T2A = "t2a"
    T23D = "t23d"
    TI2I = "ti2i"

    @property
    def context(self) -> Modality | None:
        """Modality that the prompt carries besides its text, or None."""
        return _TASK_MODALITIES[self][0]

    @property
    def response(self) -> Modality:
        return _TASK_MODALITIES[self][1]

    @property
    def code(self) -> str:
        """As the papers print it: T2T, TI2T, …, T23D."""
        return self.value.upper()

    @classmethod
    def of(cls, response: Modality, context: Modality | None = None) -> Task:
        """The task that judges `response` outputs of a prompt with `context`; BadInput where there is none."""
        for task, modalities in _TASK_MODALITIES.items():
            if modalities == (context, response):
                return task
        raise BadInput(
            f"A prompt with {context.label.lower() if context else 'text only'} and {response.label} responses is none "
            "of the nine tasks. A prompt may carry an image, a video or audio for text responses, and an image for "
            "image responses."
        )


_TASK_MODALITIES: dict[Task, tuple[Modality | None, Modality]] = {
    Task.T2T: (None, Modality.TEXT),
    Task.TI2T: (Modality.IMAGE, Modality.TEXT),
    Task.TV2T: (Modality.VIDEO, Modality.TEXT),
    Task.TA2T: (Modality.AUDIO, Modality.TEXT),
    Task.T2I: (None, Modality.IMAGE),
    Task.T2V: (None, Modality.VIDEO),
    Task.T2A: (None, Modality.AUDIO),
    Task.T23D: (None, Modality.MESH),
    Task.TI2I: (Modality.IMAGE, Modality.IMAGE),
}


class Preference(StrEnum):
    """Which response is preferred; A and B on screen."""

    FIRST = "first"
    TIE = "tie"
    SECOND = "second"

    @property
    def swapped(self) -> Preference:
        """The same preference with the two responses exchanged."""
        return {Preference.FIRST: Preference.SECOND, Preference.SECOND: Preference.FIRST}.get(self, self)


class Answer(StrEnum):
    """What a person may say about a pair."""

    FIRST = "first"
    TIE = "tie"
    SECOND = "second"
    BOTH_BAD = "both_bad"
    SKIP = "skip"

    @property
    def preference(self) -> Preference | None:
        """As a preference: both bad counts as a tie (as in arena battles), a skip as none."""
        if self is Answer.SKIP:
            return None
        return Preference.TIE if self is Answer.BOTH_BAD else Preference(self.value)

    @property
    def swapped(self) -> Answer:
        return {Answer.FIRST: Answer.SECOND, Answer.SECOND: Answer.FIRST}.get(self, self)


class Content(Noun):
    """One text, or one file that has been checked. `sha256` is of the file's bytes, or of the text in UTF-8."""

    modality: Modality
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    text: str | None = None
    path: Path | None = None
    name: str = ""

    @model_validator(mode="after")
    def _one_of_text_and_path(self) -> Self:
        if (self.modality is Modality.TEXT) != (self.text is not None) or (self.text is None) == (self.path is None):
            raise ValueError("text content has a text and no path; every other content has a path and no text")
        return self

    @classmethod
    def of_text(cls, text: str) -> Content:
        # surrogates cannot be encoded; they are kept apart from their replacement by their own bytes
        return cls(
            modality=Modality.TEXT, text=text, sha256=hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        )

    @classmethod
    def of_file(cls, path: Path, modality: Modality, name: str = "") -> Content:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return cls(modality=modality, path=path, sha256=digest, name=name or path.name)

    @property
    def source(self) -> Path | str:
        """What a modality opens: the file's path, or the text itself."""
        return self.path if self.path is not None else self.text or ""


class Response(Noun):
    """What a model answered, and which model it was (empty when nobody said)."""

    content: Content
    model: str = ""


class PreferencePair(Noun):
    """Two responses to one prompt. `id` is the public, unguessable name of a stored pair, or a file's own id."""

    task: Task
    prompt: str = ""
    context: Content | None = None
    first: Response
    second: Response
    id: str = ""

    @model_validator(mode="after")
    def _modalities_fit(self) -> Self:
        have = self.context.modality if self.context else None
        if have is not self.task.context:
            raise ValueError(f"{self.task.code} needs a prompt with {self.task.context or 'text only'}, not {have}")
        first, second = self.first.content.modality, self.second.content.modality
        # 3D responses of Omni-RewardBench are rendered images, so both are accepted
        allowed = {self.task.response, Modality.IMAGE} if self.task is Task.T23D else {self.task.response}
        if first is not second or first not in allowed:
            raise ValueError(f"{self.task.code} compares two {self.task.response.label} responses")
        return self

    @property
    def modality(self) -> Modality:
        """Modality of the two responses as they are (rendered images for some T23D pairs)."""
        return self.first.content.modality

    @property
    def swapped(self) -> PreferencePair:
        return self.model_copy(update={"first": self.second, "second": self.first})


class Question(Noun):
    """What a judge is asked: one pair under one criterion; None asks for the general preference."""

    pair: PreferencePair
    criterion: str | None = None


class ItemName(Noun):
    """One item of one bench: the bench by its name on the shelf, the item by its key."""

    bench: str
    key: str


class Rubric(Noun):
    """Several criteria together, offered as a preset."""

    name: str
    criteria: tuple[str, ...]
    about: str = ""


class Measure(Noun):
    """What can be measured on every response of a modality.

    `more` and `less` are comparatives that read well after "A is": sharper, blurrier. `relative` measures also need
    the prompt or its context (word overlap, likeness to the prompt's image).
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    label: str
    unit: str
    more: str
    less: str
    source: str
    digits: int = 2
    relative: bool = False


class Evidence(Noun):
    """Measured values of one response by measure name; a name is absent where the thing cannot be measured."""

    modality: Modality
    version: int
    values: dict[str, Finite]


class Finding(Noun):
    """One measure on both responses, and what it did to the verdict.

    `effect` is the exact counterfactual: how far r(first) − r(second) falls when the first response is given the
    second's value for this measure and the second the first's, halved. Positive speaks for the first response.
    """

    measure: Measure
    first: Finite | None
    second: Finite | None
    effect: Finite = 0.0


class FailureKind(StrEnum):
    NOT_COVERED = "not_covered"
    BAD_INPUT = "bad_input"
    UNREADABLE = "unreadable"
    ERROR = "error"


class Failure(Noun):
    """Why there is no preference. A value that is shown and counted; `raw` keeps what could not be read."""

    kind: FailureKind
    message: str
    raw: str = ""


class Verdict(Noun):
    """What one judge says of one question: a preference or a failure, never both, never neither.

    `reward_1` and `reward_2` are r(c, x, y1) and r(c, x, y2) in nats (Bradley-Terry: P(1≻2) = σ(r1 − r2) without
    ties); `p_*` sum to 1; `coverage` in [0, 1] says how far this judge can see what the criterion asks for.
    """

    judge: str
    criterion: str | None
    preference: Preference | None = None
    failure: Failure | None = None
    reward_1: Finite | None = None
    reward_2: Finite | None = None
    p_first: Probability | None = None
    p_tie: Probability | None = None
    p_second: Probability | None = None
    coverage: Probability | None = None
    rationale: str = ""
    findings: tuple[Finding, ...] = ()
    seconds: Annotated[float, Field(ge=0.0)] = 0.0

    @model_validator(mode="after")
    def _preference_or_failure(self) -> Self:
        if (self.preference is None) == (self.failure is None):
            raise ValueError("a verdict has either a preference or a failure")
        probabilities = (self.p_first, self.p_tie, self.p_second)
        known = [p for p in probabilities if p is not None]
        if known and (len(known) != 3 or abs(sum(known) - 1.0) > 1e-4):
            raise ValueError("p_first, p_tie and p_second come together and sum to 1")
        return self

    @classmethod
    def failed(
        cls, judge: str, criterion: str | None, kind: FailureKind, message: str, *, raw: str = "", seconds: float = 0.0
    ) -> Verdict:
        return cls(
            judge=judge,
            criterion=criterion,
            failure=Failure(kind=kind, message=message, raw=raw),
            seconds=seconds,
        )

    @property
    def swapped(self) -> Verdict:
        """The same verdict told of the swapped pair (for blind mode, where the sides on screen are shuffled)."""
        return self.model_copy(
            update={
                "preference": self.preference.swapped if self.preference else None,
                "reward_1": self.reward_2,
                "reward_2": self.reward_1,
                "p_first": self.p_second,
                "p_second": self.p_first,
                "findings": tuple(
                    f.model_copy(update={"first": f.second, "second": f.first, "effect": -f.effect})
                    for f in self.findings
                ),
            }
        )


class Annotation(Noun):
    """One annotator's answer on one pair under one criterion, told in the pair's stored order."""

    annotator: str = Field(min_length=1, max_length=80)
    pair_id: str
    criterion: str | None
    answer: Answer
    strength: int | None = Field(default=None, ge=1, le=3)
    reason: str = Field(default="", max_length=4000)
    blind: bool = False
    flipped: bool = False
    seconds: float | None = Field(default=None, ge=0.0)
