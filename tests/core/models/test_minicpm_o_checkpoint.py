"""Checkpoints under MiniCPM-o's published names: every key accounted for, and the published size and shapes."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.errors import JudgeFailed
from core.evidence import Measuring
from core.judges.reward_head import RewardHeadBackend
from core.modalities import Limits
from core.models.minicpm_o.config import MiniCPMOConfig
from core.models.minicpm_o.model import PUBLISHED, UNUSED, MiniCPMOForConditionalGeneration
from core.models.value_head.backbones import BACKBONES, find_backbone, read_config
from core.models.value_head.checkpoint import read_model
from core.models.value_head.model import ValueHeadModel
from core.models.value_head.processors import read_processor
from core.models.value_head.spec import RewardHeadSpec
from core.nouns import PreferencePair, Question, Task
from tests.core.models.test_value_head import CRITERION, Loaded, reference
from tests.core.models.tiny_backbones import LIMITS, write_tiny
from tests.core.small_pairs import small_pair

Tensors = dict[str, torch.Tensor]

# what OpenBMB's configuration.json says, as far as public sources quote it
CONFIG = {
    "architectures": ["MiniCPMO"],
    "auto_map": {"AutoConfig": "configuration_minicpm.MiniCPMOConfig", "AutoModel": "modeling_minicpmo.MiniCPMO"},
    "model_type": "minicpmo",
    "version": "2.6",
    "vocab_size": 151_700,
    "hidden_size": 3584,
    "intermediate_size": 18_944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "max_position_embeddings": 32_768,
    "rope_theta": 1_000_000.0,
    "rms_norm_eps": 1e-6,
    "sliding_window": 131_072,
    "use_sliding_window": False,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "query_num": 64,
    "drop_vision_last_layer": False,
    "slice_config": {"max_slice_nums": 9, "model_type": "minicpmv"},
    "use_image_id": True,
    "audio_pool_step": 2,
    "audio_chunk_length": 1.0,
    "chunk_input": True,
    "init_audio": True,
    "init_tts": False,
    "tts_config": {"model_type": "conditional_chattts", "llm_dim": 3584},
    "vision_config": {
        "model_type": "siglip_vision_model",
        "hidden_size": 1152,
        "image_size": 980,
        "intermediate_size": 4304,
        "num_attention_heads": 16,
        "num_hidden_layers": 27,
        "patch_size": 14,
    },
    "audio_config": {
        "_name_or_path": "openai/whisper-medium",
        "architectures": ["MiniCPMWhisperEncoder"],
        "begin_suppress_tokens": [220, 50_257],
        "forced_decoder_ids": [[1, 50_259], [2, 50_359], [3, 50_363]],
        "suppress_tokens": [],
        "max_length": 448,
        "torch_dtype": "float32",
        "d_model": 1024,
        "encoder_attention_heads": 16,
        "encoder_ffn_dim": 4096,
        "encoder_layers": 24,
        "decoder_layers": 24,
        "num_mel_bins": 80,
    },
}

_LAYER = r"(self_attn\.(q|k|v)_proj\.(weight|bias)|self_attn\.o_proj\.weight|mlp\.(gate|up|down)_proj\.weight"
_NORMS = r"|(input|post_attention)_layernorm\.weight)"
_ENDS = r"\.(weight|bias)"
# the names that vLLM's and llama.cpp's readers of the published checkpoint expect, and how many tensors there are
NAMES = {
    339: rf"llm\.(lm_head\.weight|model\.(embed_tokens\.weight|norm\.weight|layers\.\d+\.{_LAYER}{_NORMS}))",
    437: rf"vpm\.((embeddings\.patch_embedding|post_layernorm){_ENDS}|embeddings\.position_embedding\.weight"
    rf"|encoder\.layers\.\d+\.(self_attn\.(q|k|v|out)_proj|layer_norm[12]|mlp\.fc[12]){_ENDS})",
    13: rf"resampler\.(query|proj|kv_proj\.weight|attn\.in_proj_(weight|bias)|attn\.out_proj{_ENDS}"
    rf"|ln_(q|kv|post){_ENDS})",
    367: rf"apm\.((conv[12]|layer_norm){_ENDS}|embed_positions\.weight|layers\.\d+\.(self_attn\.k_proj\.weight"
    rf"|(self_attn\.(q|v|out)_proj|self_attn_layer_norm|fc[12]|final_layer_norm){_ENDS}))",
    4: rf"audio_projection_layer\.linear[12]{_ENDS}",
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ValueHeadModel]:
    """As it is published: OpenBMB's names and a speech decoder, and its own processor's file and code beside it."""
    folder = tmp_path_factory.mktemp("minicpmo")
    model = write_tiny("minicpmo", folder)
    own = {key: value.contiguous() for key, value in model.network.state_dict().items()}
    tensors = {published(key): value for key, value in own.items()}
    speech = {"tts.emb_text.weight": torch.zeros(3, 2), "tts.model.layers.0.mlp.up_proj.weight": torch.zeros(2, 2)}
    save_file(tensors | speech, folder / "model.safetensors", {"format": "pt"})
    parts = json.loads((folder / "processor_config.json").read_text())
    (folder / "processor_config.json").unlink()
    (folder / "chat_template.jinja").unlink()
    told = parts["feature_extractor"] | parts["image_processor"]
    told |= {"image_processor_type": "MiniCPMVImageProcessor", "im_start": "<image>", "version": 2.6}
    told |= {"auto_map": {"AutoProcessor": "code.Runs", "AutoImageProcessor": "code.Runs"}}
    (folder / "preprocessor_config.json").write_text(json.dumps(told))
    for name, more in (
        ("config.json", {"auto_map": {"AutoConfig": "code.Runs", "AutoModel": "code.Runs"}}),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["code.Runs", None]}, "tokenizer_class": "OwnFast"}),
    ):
        (folder / name).write_text(json.dumps(json.loads((folder / name).read_text()) | more))
    (folder / "code.py").write_text("raise SystemExit('the code beside the checkpoint was run')")
    return folder, model


def published(key: str) -> str:
    """A key of this house under its published name; every key has one."""
    return next(name + key.removeprefix(own) for name, own in PUBLISHED.items() if key.startswith(own))


@pytest.fixture
def folder(written: tuple[Path, ValueHeadModel], tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return shutil.copytree(written[0], tmp_path / "model")


def respell(folder: Path, change: Callable[[Tensors], Tensors]) -> None:
    tensors = change(load_file(folder / "model.safetensors"))
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def test_every_weight_comes_from_the_published_names(written: tuple[Path, ValueHeadModel], tmp_path: Path) -> None:
    folder, model = written
    assert {key.split(".")[0] + "." for key in load_file(folder / "model.safetensors")} == {
        *(name.split(".")[0] + "." for name in PUBLISHED),
        *UNUSED,
    }
    read = read_model(folder, torch.float32)
    weights = read.state_dict()
    assert all(torch.equal(weights[name], tensor) for name, tensor in model.state_dict().items())
    read.network.save_pretrained(tmp_path)
    assert set(load_file(tmp_path / "model.safetensors")) == {published(key) for key in model.network.state_dict()}


def test_the_judge_gives_every_task_the_rewards_of_one_pair_at_a_time(
    written: tuple[Path, ValueHeadModel], tmp_path: Path
) -> None:
    folder, model = written
    pairs = {task: small_pair(task, tmp_path) for task in Task}
    loaded = Loaded("minicpmo")
    loaded.model, loaded.processor = model, read_processor(folder, BACKBONES["minicpmo"])
    backend = RewardHeadBackend(RewardHeadSpec(model=str(folder), media=LIMITS, device="cpu", batch_size=5), Limits())
    assert backend.unavailable() is None
    asked = [Question(pair=pair, criterion=CRITERION) for pair in pairs.values()]
    verdicts = backend.load().judge(asked, Measuring())
    for pair, verdict in zip(pairs.values(), verdicts, strict=True):
        assert verdict.failure is None
        wanted = [one_reward(loaded, pair, second=second) for second in (False, True)]
        assert [verdict.reward_1, verdict.reward_2] == pytest.approx(wanted, abs=1e-4), pair.task
        assert verdict.rationale == ""


def one_reward(loaded: Loaded, pair: PreferencePair, *, second: bool) -> float:
    return reference(loaded, pair, (pair.second if second else pair.first).content)


@pytest.mark.parametrize(
    ("lost", "found", "told"),
    [
        (
            "resampler.query",
            "resampler.queries",
            ["missing model.resampler.query;", "too many model.resampler.queries;"],
        ),
        ("apm.layers.1.fc1.bias", None, ["missing model.audio_tower.layers.1.fc1.bias", "too many none"]),
        (None, "vpm.encoder.layers.2.extra", ["missing none", "too many model.vision_tower.encoder.layers.2.extra;"]),
        (None, "dvae.coef", ["missing none", "too many dvae.coef"]),
    ],
)
def test_a_key_that_is_missing_or_left_over_is_named(
    folder: Path, lost: str | None, found: str | None, told: list[str]
) -> None:
    def change(tensors: Tensors) -> Tensors:
        taken = tensors.pop(lost) if lost else torch.zeros(2)
        return tensors | ({found: taken} if found else {})

    respell(folder, change)
    with pytest.raises(JudgeFailed) as raised:
        read_model(folder, torch.float32)
    assert all(words in str(raised.value) for words in told), raised.value


def test_a_weight_of_another_shape_is_named(folder: Path) -> None:
    respell(folder, lambda tensors: tensors | {"resampler.query": torch.zeros(5, 32)})
    with pytest.raises(JudgeFailed, match=r"missing none; too many none; of another shape model\.resampler\.query\."):
        read_model(folder, torch.float32)


def test_a_vision_tower_with_a_layer_more_or_less_is_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"drop_vision_last_layer": False}))
    with pytest.raises(JudgeFailed, match=r"missing model\.vision_tower\.encoder\.layers\.2"):
        read_model(folder, torch.float32)


def test_a_tokenizer_of_another_model_is_refused(folder: Path) -> None:
    text = (folder / "tokenizer.json").read_text()
    (folder / "tokenizer.json").write_text(text.replace("<slice>", "<piece>"))
    with pytest.raises(JudgeFailed, match="the tokenizer lacks <slice>"):
        read_processor(folder, BACKBONES["minicpmo"])


def test_the_published_configuration_gives_the_published_size(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    found = find_backbone(read_config(tmp_path))
    assert (found.backbone.title, found.kinds) == ("MiniCPM-o 2.6", {"text", "image", "video", "audio"})
    config = MiniCPMOConfig.from_pretrained(tmp_path)
    assert config.rope_parameters["rope_theta"] == 1e6
    with torch.device("meta"):
        network = MiniCPMOForConditionalGeneration(config)
    shapes = {published(key): tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    for count, pattern in NAMES.items():
        named = [key for key in shapes if re.fullmatch(pattern, key)]
        assert len(named) == count, pattern
    assert len(shapes) == sum(NAMES)
    assert shapes["llm.model.embed_tokens.weight"] == shapes["llm.lm_head.weight"] == (151_700, 3584)
    assert shapes["vpm.embeddings.position_embedding.weight"] == (4900, 1152)
    assert shapes["resampler.query"] == (64, 3584)
    assert shapes["resampler.attn.in_proj_weight"] == (3 * 3584, 3584)
    assert shapes["apm.embed_positions.weight"] == (1500, 1024)
    assert shapes["audio_projection_layer.linear1.weight"] == (3584, 1024)
    parts = dict.fromkeys(("llm", "vpm", "resampler", "apm", "audio_projection_layer"), 0)
    for key, shape in shapes.items():
        parts[key.split(".")[0]] += torch.Size(shape).numel()
    h, v, a = 3584, 1152, 1024
    block = 4 * (v * v + v) + (v * 4304 + 4304) + (4304 * v + v) + 4 * v
    layer = 4 * a * a + 3 * a + (a * 4 * a + 4 * a) + (4 * a * a + a) + 4 * a
    assert parts == {
        # Qwen2.5-7B has 7,615,616,512 with 152,064 tokens in two tables
        "llm": 7_615_616_512 - 2 * h * (152_064 - 151_700),
        "vpm": 27 * block + (3 * 14 * 14 + 1) * v + 70 * 70 * v + 2 * v,
        "resampler": 64 * h + h * h + v * h + 3 * (h * h + h) + (h * h + h) + 6 * h,
        "apm": 24 * layer + (80 * 3 + 1) * a + (a * 3 + 1) * a + 1500 * a + 2 * a,
        "audio_projection_layer": (a + 1) * h + (h + 1) * h,
    }
    # with ChatTTS-200M, which is not built here, the "8B in total" of the model card
    assert 8.4e9 < sum(parts.values()) < 8.45e9
