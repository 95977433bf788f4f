"""The trained starter, ready to be asked: evidence in, rewards, coverage and exact counterfactuals out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from core.errors import JudgeFailed
from core.models.starter.model import StarterModel
from core.models.starter.sheet import Sheet
from core.models.starter.vocabulary import Vocabulary
from core.nouns import Evidence, Modality

UNREADABLE_SHARE = 0.3
THREADS = 4


@dataclass
class Scores:
    """What one question got: rewards in nats under the criterion and under none, coverage, and by measure name the
    counterfactual effect (see `core.nouns.Finding`). `readable` is false for a criterion in words it does not know."""

    reward_1: float
    reward_2: float
    general_1: float
    general_2: float
    coverage: float
    readable: bool
    effects: dict[str, float]


class Starter:
    """A trained model with its vocabulary and sheets. Holds no state between calls, so threads may share it."""

    def __init__(self, model: StarterModel, vocabulary: Vocabulary) -> None:
        self.model, self.vocabulary = model.eval(), vocabulary
        self.config = model.config
        self.sheets = {Modality(name): Sheet.of_records(records) for name, records in self.config.measures.items()}

    @classmethod
    def read(cls, folder: Path) -> Starter:
        """Load weights, config and tokenizer from a folder; JudgeFailed where it holds no starter."""
        if not (folder / "model.safetensors").is_file() or not (folder / "config.json").is_file():
            raise JudgeFailed(
                f"There is no starter in {folder.name!r}: model.safetensors or config.json is missing. Reinstall the "
                "program, or choose a folder that training wrote."
            )
        vocabulary = Vocabulary.read(folder)
        try:
            model = StarterModel.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
        except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
            raise JudgeFailed(f"The starter in {folder.name!r} cannot be loaded: {error}") from error
        # a small model gains nothing from more threads, and several people may judge at once
        if torch.get_num_threads() > THREADS:
            torch.set_num_threads(THREADS)
        return cls(model, vocabulary)

    def readable(self, criterion: str | None) -> bool:
        """False where more than a third or so of a criterion's tokens are in scripts or signs it does not know."""
        tokens = self.vocabulary.tokenizer.encode(criterion or "").ids[1:-1]
        return not tokens or sum(token == self.vocabulary.unknown for token in tokens) / len(tokens) <= UNREADABLE_SHARE

    @torch.inference_mode()
    def score(
        self, modality: Modality, criteria: Sequence[str | None], evidence: Sequence[tuple[Evidence, Evidence]]
    ) -> list[Scores]:
        """Scores of questions of one modality, in order; one forward pass for all of them.

        Raises JudgeFailed where the evidence was measured by another version than the model was trained on.
        """
        sheet = self._sheet(modality, evidence)
        z = np.stack([sheet.standardise(np.stack([sheet.raw(side.values) for side in sides])) for sides in evidence])
        asked = list(dict.fromkeys([None, *criteria]))
        reading = self.model.read(*self.vocabulary.encode(asked))
        seen = torch.sigmoid(self.model.coverage(reading))[:, self.model.modalities.index(modality)].tolist()
        rows, owners, swapped = [], [], []
        for pair, criterion in zip(z, criteria, strict=True):
            columns = np.flatnonzero(~((pair[0] == pair[1]) | (np.isnan(pair[0]) & np.isnan(pair[1]))))
            swapped.append(columns)
            exchanged = np.repeat(pair[None], len(columns), axis=0)
            turn = np.arange(len(columns))
            exchanged[turn, 0, columns], exchanged[turn, 1, columns] = pair[1, columns], pair[0, columns]
            block = np.concatenate([pair[None], pair[None], exchanged])
            rows.append(block.reshape(-1, block.shape[-1]))
            own = asked.index(criterion)
            owners.append(np.repeat([own, asked.index(None), *[own] * len(columns)], 2))
        flat = torch.from_numpy(np.concatenate(rows).astype(np.float32))
        owner = torch.from_numpy(np.concatenate(owners))
        rewards = self.model.rewards(reading, owner, modality.value, flat).double().numpy().reshape(-1, 2)
        found, start = [], 0
        for criterion, columns in zip(criteria, swapped, strict=True):
            own = rewards[start]
            after = rewards[start + 2 : start + 2 + len(columns)]
            effects = ((own[0] - own[1]) - (after[:, 0] - after[:, 1])) / 2
            found.append(
                Scores(
                    reward_1=float(own[0]),
                    reward_2=float(own[1]),
                    general_1=float(rewards[start + 1, 0]),
                    general_2=float(rewards[start + 1, 1]),
                    coverage=float(seen[asked.index(criterion)]),
                    readable=self.readable(criterion),
                    effects={
                        sheet.names[column]: float(effect) for column, effect in zip(columns, effects, strict=True)
                    },
                )
            )
            start += 2 + len(columns)
        return found

    def _sheet(self, modality: Modality, evidence: Sequence[tuple[Evidence, Evidence]]) -> Sheet:
        trained = self.config.versions.get(modality.value)
        if modality not in self.sheets or trained is None:
            raise JudgeFailed(f"This starter was not trained on {modality.label}; choose another judge.")
        for side in (side for sides in evidence for side in sides):
            if side.version != trained:
                raise JudgeFailed(
                    f"This starter was trained on version {trained} of the {modality.label} measures, and these values "
                    f"are of version {side.version}. Train it again on this version: python -m app train starter"
                )
        return self.sheets[modality]
