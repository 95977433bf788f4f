"""What is equal in a batch is read once, and no reward is moved by it, on tiny random backbones of the real classes."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.modalities import Limits
from core.models.prompts import Material
from core.models.value_head import sharing
from core.models.value_head.backbones import BACKBONES, find_backbone
from core.models.value_head.fitting import in_batches
from core.models.value_head.inputs import ChatWriter, Tensors
from core.models.value_head.media import Album
from core.models.value_head.model import ValueHeadModel
from core.models.value_head.scoring import Scorer
from core.models.value_head.sharing import Row, Sequenced, shared_length
from core.nouns import Failure, FailureKind, PreferencePair, Question, Task
from tests.core.models.tiny_backbones import LIMITS, tiny
from tests.core.small_pairs import small_pair

CRITERIA = ("Prefer the truer one.", "Prefer the shorter one.", None)
Key = tuple[str, str, str]  # task, criterion, which response


def bidirectional_nowhere(config: Any) -> None:
    config.text_config.use_bidirectional_attention = None


def keys_and_values_shared(config: Any) -> None:
    config.text_config.num_hidden_layers, config.text_config.num_kv_shared_layers = 4, 2
    config.text_config.layer_types = ["sliding_attention", "full_attention"] * 2


def sliding(config: Any) -> None:
    config.text_config.layer_types, config.text_config.sliding_window = ["sliding_attention", "full_attention"], 50


VARIANTS: dict[str, tuple[str, Callable[[Any], None] | None]] = {
    **{model_type: (model_type, None) for model_type, backbone in BACKBONES.items() if backbone.shares},
    "gemma4, bidirectional nowhere": ("gemma4", bidirectional_nowhere),
    "gemma4, layers share keys": ("gemma4", keys_and_values_shared),
    "qwen2_5_vl, sliding": ("qwen2_5_vl", sliding),
    "qwen2_5_omni, sliding": ("qwen2_5_omni_thinker", sliding),
}


class Seen:
    """A tiny model that scores, and what it was given: rows a call, and rows of tensors a tower."""

    def __init__(self, model_type: str, change: Callable[[Any], None] | None = None) -> None:
        model, processor = tiny(model_type)
        if change is not None:
            config = copy.deepcopy(model.network.config)
            change(config)
            torch.manual_seed(1)
            network: Any = type(model.network)(config)
            for parameter in network.parameters():
                if parameter.dim() > 1:
                    torch.nn.init.normal_(parameter, std=0.15)
            model = ValueHeadModel(network).eval()
        self.model, found = model, find_backbone(model.network.config.to_dict())
        self.writer = ChatWriter(found, processor, LIMITS)
        self.tasks = sorted(found.backbone.tasks(found.kinds))
        self.rows: list[int] = []
        self.towers: Counter[str] = Counter()
        model.register_forward_pre_hook(self._row, with_kwargs=True)
        for name in ("get_image_features", "get_video_features", "get_audio_features"):
            if hasattr(model.network.model, name):
                self._watch(name)

    def _row(self, module: Any, args: Any, kwargs: Any) -> None:
        self.rows.append(len(kwargs["input_ids"]))

    def _watch(self, name: str) -> None:
        features = getattr(type(self.model.network.model), name)

        def watched(backbone: Any, values: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            self.towers[name.split("_")[1]] += len(values)
            return features(backbone, values, *args, **kwargs)

        # on a class of its own, where what is put on the instance meanwhile goes before it, as in use
        backbone = self.model.network.model
        backbone.__class__ = type(type(backbone).__name__, (type(backbone),), {name: watched})

    def encoded(self, pair: PreferencePair, criteria: Sequence[str | None] = CRITERIA) -> dict[Key, Tensors]:
        found = {}
        for criterion in criteria:
            material = Material.of(Question(pair=pair, criterion=criterion), Limits())
            for second in (False, True):
                chat = self.writer.chat(material, second=second)
                found[pair.task.value, str(criterion), str(second)] = self.writer.encode(chat)
        return found

    @torch.no_grad()
    def alone(self, one: Tensors) -> float:
        """Through the backbone's own forward: no batch, no padding, nothing shared."""
        return float(self.model(**one)[0])

    def scored(self, encoded: dict[Key, Tensors], size: int) -> dict[Key, float]:
        found = Scorer(self.model, self.writer, size).rewards(encoded, lambda key: key[:-1])
        assert not any(isinstance(value, Failure) for value in found.values()), found
        return {key: float(value) for key, value in found.items()}  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=list(VARIANTS))
def seen(request: pytest.FixtureRequest) -> Seen:
    return Seen(*VARIANTS[request.param])


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[Task, PreferencePair]:
    return {task: small_pair(task, tmp_path_factory.mktemp(task.value)) for task in Task}


def test_sharing_moves_no_reward(seen: Seen, pairs: dict[Task, PreferencePair]) -> None:
    encoded: dict[Key, Tensors] = {}
    for task in seen.tasks:
        encoded |= seen.encoded(pairs[task], CRITERIA[:2])
    wanted = {key: seen.alone(one) for key, one in encoded.items()}
    assert len({round(value, 5) for value in wanted.values()}) == len(wanted)
    backwards = dict(reversed(encoded.items()))
    found = {}
    for name, size, order in (("all", 64, encoded), ("few", 3, encoded), ("backwards", 3, backwards)):
        seen.rows.clear()
        found[name] = seen.scored(order, size)
        assert found[name] == pytest.approx(wanted, abs=1e-4), name
        assert sum(seen.rows) == len(wanted) // 2, "each pair is one row"
    assert found["backwards"] == found["few"], "to the last bit"


def test_equal_media_meet_their_encoder_once(seen: Seen, pairs: dict[Task, PreferencePair]) -> None:
    kinds = {Task.TI2I: "image", Task.TV2T: "video", Task.TA2T: "audio", Task.T2V: "video", Task.T2A: "audio"}
    for task, kind in kinds.items():
        if task not in seen.tasks:
            continue
        once, thrice = seen.encoded(pairs[task], CRITERIA[:1]), seen.encoded(pairs[task])
        wanted = {key: seen.alone(one) for key, one in thrice.items()}
        seen.towers.clear()
        seen.scored(once, 8)
        given_once = seen.towers[kind]
        seen.towers.clear()
        assert seen.scored(thrice, 8) == pytest.approx(wanted, abs=1e-4)
        assert seen.towers[kind] == given_once > 0
        seen.towers.clear()
        for one in once.values():
            seen.alone(one)
        assert (seen.towers[kind] > given_once) is (task.context is not None), "the context alone is shared"


def test_what_cannot_share_is_read_plainly(pairs: dict[Task, PreferencePair]) -> None:
    seen = Seen("gemma4")
    encoded = seen.encoded(pairs[Task.TI2T])
    wanted = {key: seen.alone(one) for key, one in encoded.items()}
    for _, part in seen.model.network.named_modules():
        if hasattr(part, "config"):
            part.config._attn_implementation = "eager"
    assert not sharing.shares(seen.model.network)
    seen.rows.clear()
    assert seen.scored(encoded, 8) == pytest.approx(wanted, abs=1e-4)
    assert seen.rows == [6]


def test_a_backbone_whose_media_are_not_known_apart_is_read_plainly(pairs: dict[Task, PreferencePair]) -> None:
    assert [model_type for model_type, backbone in BACKBONES.items() if not backbone.shares] == ["minicpmo"]
    seen = Seen("minicpmo")
    encoded = seen.encoded(pairs[Task.TI2I])
    wanted = {key: seen.alone(one) for key, one in encoded.items()}
    seen.rows.clear()
    assert seen.scored(encoded, 8) == pytest.approx(wanted, abs=1e-4)
    assert seen.rows == [6]


@pytest.mark.parametrize("change", [{"layer_types": ["linear_attention"]}, {"use_bidirectional_attention": "all"}])
def test_other_sorts_of_layers_do_not_share(change: dict[str, Any]) -> None:
    network, _ = tiny("gemma4")
    assert sharing.shares(network.network)
    for name, value in change.items():
        setattr(network.network.config.text_config, name, value)
    assert not sharing.shares(network.network)


def test_a_long_response_behind_a_short_prompt_has_a_row_of_its_own() -> None:
    def rows(prompt: int, response: int) -> int:
        chats = [sequenced([0] * prompt + [number] * response) for number in (1, 2)]
        return len(sharing.rows_of(chats))

    assert rows(prompt=100, response=300) == 1
    assert rows(prompt=2000, response=2000) == 1
    assert rows(prompt=5, response=2000) == 2
    assert rows(prompt=0, response=10) == 2


# -- rows by themselves -----------------------------------------------------------------------------------------------


def sequenced(ids: list[int]) -> Sequenced:
    tensor = torch.tensor(ids)
    return Sequenced(tensor, torch.zeros_like(tensor), torch.arange(len(ids))[None], ())


@given(
    st.lists(st.integers(0, 1), min_size=0, max_size=6),
    st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=5), min_size=1, max_size=4),
)
@settings(deadline=None, max_examples=60)
def test_every_token_of_a_row_sees_its_own_chat_and_nothing_else(start: list[int], rests: list[list[int]]) -> None:
    chats = [sequenced(start + rest) for rest in rests]
    shared = shared_length(chats) if len(chats) > 1 else 0
    assert len(start) <= shared or len(chats) == 1 or shared == min(len(chat.ids) for chat in chats) - 1
    row = Row.of(chats, shared)
    batch, ends = sharing.batch_of([row, Row.of(chats[:1], 0)], pad_token=9)
    if len(chats) == 1:
        assert batch["attention_mask"].sum(dim=1).tolist() == [len(chats[0].ids)] * 2
        return
    full = sharing.masks(None, batch["places"], batch["branches"], torch.zeros_like(batch["places"]))
    assert isinstance(full, torch.Tensor)
    for (number, end), chat in zip(ends.tolist(), [*chats, chats[0]], strict=True):
        # from a chat's last token back over all that it sees: the chat itself, each token seeing what stands before it
        seen = full[number, 0, end].nonzero()[:, 0]
        assert batch["input_ids"][number, seen].tolist() == chat.ids.tolist()
        assert batch["position_ids"][number, seen].tolist() == chat.positions[0].tolist()
        for place, column in enumerate(seen.tolist()):
            assert full[number, 0, column].nonzero()[:, 0].tolist() == seen[: place + 1].tolist()
    assert bool(full.any(dim=-1).all()), "a token that sees nothing has no state"


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), max_size=20), st.integers(1, 6))
@settings(deadline=None, max_examples=60)
def test_batches_keep_together_what_is_alike(made: list[tuple[int, int]], size: int) -> None:
    keys = [(group, number) for number, (group, _) in enumerate(made)]
    encoded = {key: {"input_ids": torch.zeros(1, length)} for key, (_, length) in zip(keys, made, strict=True)}
    batches: list[list[tuple[int, int]]] = []

    def attempt(batch: list[tuple[int, int]]) -> list[int]:
        batches.append(batch)
        return [key[1] for key in batch]

    too_large = Failure(kind=FailureKind.ERROR, message="unused")
    found = in_batches(encoded, size, attempt, too_large, lambda key: key[0])
    assert found == {key: key[1] for key in keys}
    assert all(len(batch) <= size for batch in batches)
    for group, count in Counter(group for group, _ in keys).items():
        assert sum(group in {key[0] for key in batch} for batch in batches) == -(-count // size)


def test_a_medium_is_never_cut_and_equal_placeholders_are_not_equal_media(tmp_path: Path) -> None:
    seen = Seen("qwen2_5_vl")

    pair = small_pair(Task.T2I, tmp_path)
    album = Album(seen.writer.placeholders)
    chats = [Sequenced.of(one, seen.model.network.model, album) for one in seen.encoded(pair, CRITERIA[:1]).values()]
    assert torch.equal(chats[0].ids, chats[1].ids), "the two images differ in their pixels only"
    assert shared_length(chats) == chats[0].media[0].start == chats[1].media[0].start
