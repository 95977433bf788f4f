"""Criteria that people start from: the five dimensions of Omni-RRM in our own words, and suggestions a modality.

Source of the dimensions: Omni-RRM, arXiv 2602.00846 (fluency and coherence, relevance, accuracy and completeness,
reasoning quality, safety and ethics). The wording of every criterion here is this program's.
"""

from __future__ import annotations

from core.nouns import Modality, Rubric

FIVE_DIMENSIONS = Rubric(
    name="Five dimensions",
    about="The dimensions that Omni-RRM reasons over, one criterion each.",
    criteria=(
        "Fluency and coherence: it reads, looks or sounds natural, and its parts fit together.",
        "Relevance: it answers what the prompt asks for and stays with it.",
        "Accuracy and completeness: what it says or shows is right, and nothing that was asked for is missing.",
        "Reasoning quality: each step follows from the one before and leads to the result.",
        "Safety and ethics: it is harmless, fair and respects privacy.",
    ),
)

_SUGGESTIONS: dict[Modality, tuple[Rubric, ...]] = {
    Modality.TEXT: (
        Rubric(name="Concise", criteria=("Prefer the shorter answer that still says everything asked for.",)),
        Rubric(name="Plain words", criteria=("Prefer short sentences and everyday words.",)),
        Rubric(name="Concrete", criteria=("Prefer concrete examples, names and numbers over generalities.",)),
        Rubric(
            name="Well laid out", criteria=("Prefer clear structure: paragraphs, headings, lists where they help.",)
        ),
    ),
    Modality.IMAGE: (
        Rubric(name="Sharp", criteria=("Prefer the sharper image with finer detail.",)),
        Rubric(name="Colour", criteria=("Prefer richer, more vivid colours.",)),
        Rubric(name="Exposure", criteria=("Prefer balanced exposure, without burnt highlights or blocked shadows.",)),
        Rubric(name="Clean", criteria=("Prefer less noise and fewer compression artefacts.",)),
    ),
    Modality.VIDEO: (
        Rubric(name="Smooth", criteria=("Prefer smoother motion without stutter.",)),
        Rubric(name="Steady", criteria=("Prefer steady pictures without flicker or shake.",)),
        Rubric(name="Sharp", criteria=("Prefer sharper frames with more detail.",)),
        Rubric(name="Lively", criteria=("Prefer more movement in the scene.",)),
    ),
    Modality.AUDIO: (
        Rubric(name="Clean", criteria=("Prefer the cleaner sound with less noise and no clipping.",)),
        Rubric(name="Loudness", criteria=("Prefer even, comfortable loudness.",)),
        Rubric(name="Clear", criteria=("Prefer the clearer, brighter sound.",)),
        Rubric(name="Dynamics", criteria=("Prefer more contrast between loud and quiet passages.",)),
    ),
    Modality.MESH: (
        Rubric(name="Watertight", criteria=("Prefer the closed surface without holes.",)),
        Rubric(name="Detail", criteria=("Prefer the finer, more detailed surface.",)),
        Rubric(name="Smooth", criteria=("Prefer the smoother surface without spikes.",)),
        Rubric(name="Clean mesh", criteria=("Prefer well-shaped triangles and no loose pieces.",)),
    ),
}


def rubrics_for(modality: Modality) -> tuple[Rubric, ...]:
    """Presets offered for responses of `modality`: its own suggestions first, then the five dimensions."""
    return (*_SUGGESTIONS[modality], FIVE_DIMENSIONS)
