"""Candidate pairs: one of two sources is likely the stronger, and the sides are drawn, so that no place gives it away.

A candidate is a pair with the criterion that its teachers are asked under. Its `label` is what is known of it besides
(a person's, or what a change did) and its `reason` how it was made; no teacher is told either.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import BadInput
from core.evidence import open_content
from core.formats import LabelledPair
from core.formats._fields import text_content
from core.modalities import MODALITIES, Limits, Part
from core.models.chat import ChatServer
from core.models.message import MessageWriter
from core.models.starter.changes import CHANGES, Change
from core.models.starter.media import READ, WRITE, same
from core.models.starter.recipe import Preparation, Recipe
from core.models.starter.wishes import load
from core.nouns import Content, Failure, Modality, Preference, Response

log = logging.getLogger(__name__)

_DIRECTIONS = ("more", "less")


def changed(row: LabelledPair, seed: int, media: Path, limits: Limits) -> LabelledPair:
    """One of the row's two responses against itself with one attribute changed, under a wish for more or less of it.

    Seed and the pair's id decide which response, attribute, change, strength, wish and sides. Wishes are of the split
    `train`, and attributes that are held out are never changed, so that what tests the starter stays unseen. Both
    versions are written into `media` on the same path (an image's longer side at most 448 pixels, sound 4 s, a clip 32
    frames), so that only the change tells them apart. Raises BadInput where the response cannot be read or changed.
    """
    rng = _rng(seed, row.pair.id)
    response = (row.pair.first, row.pair.second)[int(rng.integers(2))]
    modality, preparation = row.pair.modality, Recipe.read().preparation
    try:
        original = _decoded(response.content, preparation, limits)
        change, strength, result = _change(original, modality, preparation, rng)
        versions = [_kept(one, modality, media) for one in (original, result)]
    except BadInput:
        raise
    except Exception as error:
        # decoders have errors of their own, and one broken file must not end the whole list
        log.warning("%s cannot be changed", row.pair.id, exc_info=error)
        raise BadInput(f"The response cannot be changed ({type(error).__name__}); the log has the error.") from error
    wanted = _DIRECTIONS[int(rng.integers(2))]
    wishes = load(modality).of(change.attribute, "more" if wanted == "more" else "less", "train")
    made = row.pair.model_copy(
        update={
            "first": Response(content=versions[0], model="as it was"),
            "second": Response(content=versions[1], model=f"{change.name} {strength:.2f}"),
        }
    )
    better = Preference.SECOND if change.direction == wanted else Preference.FIRST
    candidate = row.model_copy(
        update={
            "pair": made,
            "criterion": wishes[int(rng.integers(len(wishes)))],
            "label": better,
            "reason": f"{wanted} {change.attribute}: {change.name} by {strength:.2f}",
        }
    )
    return _shuffled(candidate, rng)


def _change(media: Any, modality: Modality, preparation: Preparation, rng: Any) -> tuple[Change, float, Any]:
    """A change that changes something, of an attribute that is drawn. Raises BadInput where none does."""
    table = CHANGES[modality]
    for name in rng.permutation([attribute.name for attribute in table.attributes if not attribute.held_out]):
        choices = table.of(str(name))
        change = choices[int(rng.integers(len(choices)))]
        strength = float(rng.uniform(*(preparation.strong if rng.random() < 0.5 else preparation.mild)))
        try:
            result = change.apply(media, strength, rng)
        except (BadInput, ValueError, ArithmeticError, LookupError, OSError):
            continue
        if not same(media, result, preparation.audible_db):
            return change, strength, result
    raise BadInput("None of the changes does anything to the response.")


def _decoded(content: Content, preparation: Preparation, limits: Limits) -> Any:
    # checked like an upload before it is decoded without limits
    open_content(content, limits)
    return content.text if content.path is None else READ[content.modality](content.path, preparation)


def _kept(media: Any, modality: Modality, folder: Path) -> Content:
    """Written into `folder` under its hash, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as made:
        written = WRITE[modality](media, Path(made))
        if isinstance(written, str):
            return Content.of_text(written)
        place = folder / f"{Content.of_file(written, modality).sha256}{written.suffix}"
        os.replace(written, place)
    return Content.of_file(place, modality)


def question_of(row: LabelledPair, limits: Limits) -> str | list[dict[str, Any]]:
    """The row's prompt with its context as a user message. Raises BadInput where its answer would be no text, and where
    there is no prompt or the context cannot be read."""
    pair = row.pair
    if pair.task.response is not Modality.TEXT:
        raise BadInput(f"{pair.task.code} asks for {pair.task.response.label}, and served models answer with text.")
    if not pair.prompt.strip():
        raise BadInput("The row has no prompt to answer.")
    parts = [Part("text", pair.prompt)]
    if pair.context is not None:
        parts = [*MODALITIES[pair.context.modality].parts(open_content(pair.context, limits)), *parts]
    return MessageWriter().content(parts)


def answer_of(server: ChatServer, question: str | list[dict[str, Any]], limits: Limits) -> Response:
    """One model's answer. Raises BadInput with why there is none that can be used."""
    said = server.complete(question)
    if isinstance(said, Failure):
        raise BadInput(f"{server.spec.model} gave no answer: {said.message}")
    return Response(content=text_content(said, "answer", limits), model=server.spec.model)


def answered(row: LabelledPair, strong: Response, weak: Response, seed: int) -> LabelledPair:
    """The row's prompt with two models' answers in place of its own."""
    pair = row.pair.model_copy(update={"first": strong, "second": weak})
    made = row.model_copy(update={"pair": pair, "label": None, "reason": ""})
    return _shuffled(made, _rng(seed, row.pair.id))


def _shuffled(row: LabelledPair, rng: Any) -> LabelledPair:
    if not rng.integers(2):
        return row
    return row.model_copy(update={"pair": row.pair.swapped, "label": row.label.swapped if row.label else None})


def _rng(seed: int, name: str) -> Any:
    told = hashlib.sha256(f"{seed}/{name}".encode("utf-8", "surrogatepass")).hexdigest()
    return np.random.default_rng(int(told[:16], 16))
