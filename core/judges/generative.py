"""The `generative` judge: a chat omni model, run in this process, that writes its reasons and its verdict.

Omni-RewardModel-R1 (arXiv 2510.23451), Omni-RRM (arXiv 2602.00846), or any chat model on a backbone of
`core.models.value_head.backbones`. Each pair is asked in both orders, `samples` times each, and the answers are
reconciled (`core.reconcile`), as the endpoint's are.

Where an answer in tags reaches its limit without having ended, its verdict is taken by constrained decoding: each tag
that it was offered is appended, and their likelihoods, as whole texts, are the shares of a divided vote. Records are
not forced: half a record has no one way to go on, so it is unreadable; with `constrain` only whole ones are written
(`core.models.generative.constraint`).
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.aloud import Hear, Written
from core.errors import JudgeFailed, StudioError
from core.evidence import Measurer
from core.judging import failure_of
from core.modalities import Limits
from core.models.generative.spec import GenerativeSpec
from core.models.prompts import Material, judging_prompt, verdict_tags
from core.models.value_head.backbones import find_backbone, read_config
from core.models.value_head.four_bit import missing as missing_four_bit
from core.models.value_head.hub import is_hub_id
from core.models.verdicts import Reading, read_verdict
from core.nouns import Failure, FailureKind, Modality, Preference, Question, Verdict
from core.reconcile import reconcile

if TYPE_CHECKING:
    from core.models.generative.writing import Answer, Key, Tell, Writer
    from core.models.value_head.inputs import Tensors

NAME = "generative"


@dataclass
class _Asked:
    """A question of which both orders are encoded, or one that could not be read."""

    question: Question
    encoded: tuple[Tensors, ...] = ()  # as it is told, and swapped
    left_out: set[str] = field(default_factory=set)
    failure: Failure | None = None
    seconds: float = 0.0


class GenerativeJudge:
    """A loaded chat model that judges. The answers to all questions of a call share batches."""

    def __init__(self, writer: Writer, spec: GenerativeSpec, limits: Limits, name: str = NAME) -> None:
        self.writer, self.spec, self.limits, self.name = writer, spec, limits, name

    def judge(self, questions: Sequence[Question], measure: Measurer) -> list[Verdict]:
        """One verdict a question, in order; whatever goes wrong with one is that one's failure."""
        return self._windows(questions)

    def judge_aloud(self, questions: Sequence[Question], measure: Measurer, hear: Hear) -> list[Verdict]:
        """The same verdicts, and meanwhile `hear` is told the first answer to each question in each order.

        JobCancelled raised by `hear` ends the judging and is raised.
        """
        return self._windows(questions, hear)

    def _windows(self, questions: Sequence[Question], hear: Hear | None = None) -> list[Verdict]:
        verdicts: list[Verdict] = []
        # a bench has thousands of pairs, and the media of those under way are held in memory
        for start in range(0, len(questions), self.spec.batch_size):

            def tell(key: Key, text: str, start: int = start) -> None:
                if hear is not None:
                    hear(Written(number=start + key[0], swapped=key[1], text=text))

            verdicts += self._window(questions[start : start + self.spec.batch_size], tell if hear else None)
        return verdicts

    def _window(self, questions: Sequence[Question], tell: Tell | None = None) -> list[Verdict]:
        opened: dict[int, Material] = {}
        asked = [self._read(question, opened) for question in questions]
        started = time.perf_counter()
        keyed = {
            (place, bool(swapped), number): encoded
            for place, one in enumerate(asked)
            for swapped, encoded in enumerate(one.encoded)
            for number in range(self.spec.samples)
        }
        readings = self._readings(keyed, self.writer.answers(keyed, tell))
        each = (time.perf_counter() - started) / max(1, sum(one.failure is None for one in asked))
        return [self._verdict(place, one, readings, each) for place, one in enumerate(asked)]

    def _read(self, question: Question, opened: dict[int, Material]) -> _Asked:
        asked, started = _Asked(question), time.perf_counter()
        chats = self.writer.chats
        try:
            pair = question.pair
            if id(pair) not in opened:  # several criteria on one pair open its files once
                opened[id(pair)] = Material.of(question, self.limits)
            material = replace(opened[id(pair)], criterion=question.criterion)
            if told := chats.not_covered(material):
                asked.failure = Failure(kind=FailureKind.NOT_COVERED, message=told)
                return asked
            written = [
                chats.turns([("user", judging_prompt(order, self.spec.style, self.spec.ties))])
                for order in (material, material.swapped)
            ]
            asked.left_out = {kind for chat in written for kind in chat.left_out}
            asked.encoded = tuple(chats.encode(chat, opening=True) for chat in written)
        except Exception as error:
            # raising would have every other question of the batch read once more
            asked.failure = failure_of(error, f"{self.name} could not be asked; the log has the error.")
        finally:
            asked.seconds = time.perf_counter() - started
        return asked

    def _readings(
        self, keyed: dict[Key, Tensors], answers: dict[Key, Answer | Failure]
    ) -> dict[Key, Reading | Failure]:
        tags = verdict_tags(self.spec.style, self.spec.ties) if self.spec.force else {}
        readings: dict[Key, Reading | Failure] = {}
        cut: dict[Key, tuple[Tensors, Answer]] = {}
        for key, answer in answers.items():
            if isinstance(answer, Failure):
                readings[key] = answer
            elif answer.ended:
                readings[key] = read_verdict(answer.text, ties=self.spec.ties)
            elif tags:
                cut[key] = (keyed[key], answer)
            else:
                readings[key] = self._cut_off(answer)
        for key, shares in self.writer.weighed(cut, [f"\n\n{tag}" for tag in tags.values()]).items():
            readings[key] = self._chosen(cut[key][1], tuple(tags), shares)
        return readings

    def _cut_off(self, answer: Answer) -> Failure:
        return Failure(
            kind=FailureKind.UNREADABLE,
            message=f"The answer was cut off at {self.spec.max_tokens:,} tokens; "
            f"raise {self.spec.setting('MAX_TOKENS')}.",
            raw=answer.text,
        )

    def _chosen(
        self, answer: Answer, offered: Sequence[Preference], shares: list[float] | Failure
    ) -> Reading | Failure:
        """The reading of an answer that was made to choose, told as such."""
        if isinstance(shares, Failure):
            return shares.model_copy(update={"raw": answer.text})
        vote = dict.fromkeys(Preference, 0.0) | dict(zip(offered, shares, strict=True))
        return Reading(
            preference=max(vote, key=lambda preference: vote[preference]),
            rationale=f"{answer.text.strip()} …\n(The answer reached its limit of {self.spec.max_tokens:,} tokens and "
            "had to choose then.)",
            shares=(vote[Preference.FIRST], vote[Preference.TIE], vote[Preference.SECOND]),
        )

    def _verdict(self, place: int, asked: _Asked, readings: dict[Key, Reading | Failure], each: float) -> Verdict:
        criterion = asked.question.criterion
        if asked.failure is not None:
            return Verdict(judge=self.name, criterion=criterion, failure=asked.failure, seconds=asked.seconds)
        straight, swapped = (
            [readings[place, order, number] for number in range(self.spec.samples)] for order in (False, True)
        )
        seconds = asked.seconds + each
        verdict = reconcile(self.name, criterion, straight, swapped, ties=self.spec.ties, seconds=seconds)
        if asked.left_out and verdict.failure is None:
            rationale = f"{verdict.rationale}\n\n{self.writer.chats.left_out(asked.left_out)}".strip()
            verdict = verdict.model_copy(update={"rationale": rationale})
        return verdict


class GenerativeBackend:
    title = "Chat model"
    about = (
        "A chat omni model (Omni-RewardModel-R1, Omni-RRM and their kin), run here: it writes reasons and a verdict, "
        "in both orders. Wants a GPU."
    )
    modalities = frozenset(Modality)
    gpu = True

    def __init__(self, spec: GenerativeSpec | None = None, limits: Limits | None = None) -> None:
        self.spec, self.limits = spec or GenerativeSpec(), limits or Limits()

    def configured(self, spec: GenerativeSpec, limits: Limits) -> GenerativeBackend:
        """This backend with a model to load, and with the limits under which files are opened."""
        return GenerativeBackend(spec, limits)

    def unavailable(self) -> str | None:
        """Why it cannot run, from what lies on this machine. Loads nothing and fetches nothing."""
        if not self.spec.model:
            return (
                "Set STUDIO_GENERATIVE__MODEL to a folder or a Hub id of a chat model: Qwen2.5-Omni, Qwen3-Omni, "
                "Gemma 4, Qwen2.5-VL or MiniCPM-o 2.6."
            )
        missing = [name for name in ("torch", "transformers", "safetensors") if importlib.util.find_spec(name) is None]
        if missing:
            return f"The chat model needs {', '.join(missing)}: pip install -r requirements.txt"
        if problem := self.spec.problem():
            return problem
        if told := missing_four_bit(self.spec.dtype):
            return told
        folder = Path(self.spec.model).expanduser()
        if not folder.is_dir():
            told = f"There is no folder {self.spec.model!r}; STUDIO_GENERATIVE__MODEL is a folder or a Hub id."
            return None if is_hub_id(self.spec.model) else told
        try:
            find_backbone(read_config(folder))
        except StudioError as error:
            return str(error)
        return None

    def load(self, model: Path | str | None = None) -> GenerativeJudge:
        """Another model than the settings' where `model` is given. Raises JudgeFailed or MissingExtra."""
        spec = self.spec if model is None else self.spec.model_copy(update={"model": str(model), "revision": None})
        if problem := GenerativeBackend(spec, self.limits).unavailable():
            raise JudgeFailed(problem)
        from core.models.generative.writing import Writer

        name = NAME if model is None else f"{NAME}:{Path(spec.model).name}"
        return GenerativeJudge(Writer.read(spec), spec, self.limits, name)


PLUG = GenerativeBackend()
