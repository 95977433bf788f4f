"""MiniCPM-o 2.6, part by part: against transformers' own encoders, or against its equations written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor
from transformers import SiglipVisionConfig, SiglipVisionModel, WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from core.models.minicpm_o.audio import AudioTower, chunk_mask, pooled, token_count
from core.models.minicpm_o.config import MEDIA_TYPES
from core.models.minicpm_o.processing import SYSTEM, SliceProcessor
from core.models.minicpm_o.vision import PatchEmbeddings, Resampler, VisionTower
from tests.core.models.tiny_backbones import tiny

VISION = SiglipVisionConfig(
    hidden_size=24,
    intermediate_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    image_size=56,
    patch_size=14,
    vision_use_head=False,
)
AUDIO = WhisperConfig(
    d_model=16,
    encoder_layers=2,
    encoder_attention_heads=2,
    encoder_ffn_dim=64,
    num_mel_bins=8,
    max_source_positions=60,
)


def shaken(module: torch.nn.Module, std: float = 0.2) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(1)
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * std
    return module.eval()


def patches_of(picture: Tensor, size: int = 14) -> Tensor:
    """(patches, 3 × size × size) of (3, height, width), row by row, cut out one at a time."""
    _, high, wide = picture.shape
    corners = [(y, x) for y in range(0, high, size) for x in range(0, wide, size)]
    return torch.stack([picture[:, y : y + size, x : x + size].reshape(-1) for y, x in corners])


# -- vision -----------------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_on_its_own_grid_the_tower_is_siglip_itself() -> None:
    siglip = shaken(SiglipVisionModel(VISION))
    tower = VisionTower(VISION).eval()
    tower.load_state_dict(siglip.state_dict())
    picture = torch.randn(3, 56, 56)
    states, real = tower(patches_of(picture), torch.tensor([[4, 4]]))
    assert real.all()
    torch.testing.assert_close(states, siglip(picture[None]).last_hidden_state, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_slices_of_different_shape_share_a_batch_and_leave_each_other_alone() -> None:
    tower = shaken(VisionTower(VISION))
    resampler = shaken(Resampler(4, 32, 24))
    pictures = [torch.randn(3, 42, 84), torch.randn(3, 70, 28), torch.randn(3, 14, 14)]
    grids = torch.tensor([[3, 6], [5, 2], [1, 1]])
    states, real = tower(torch.cat([patches_of(picture) for picture in pictures]), grids)
    together = resampler(states, real, grids)
    assert real.sum(1).tolist() == [18, 10, 1]
    for row, picture in enumerate(pictures):
        own = grids[row : row + 1]
        alone = resampler(*tower(patches_of(picture), own), own)
        torch.testing.assert_close(together[row], alone[0], atol=1e-5, rtol=1e-4)


def test_every_grid_is_spread_over_the_table_of_places() -> None:
    embeddings = PatchEmbeddings(SiglipVisionConfig(hidden_size=8, image_size=980, patch_size=14))
    assert embeddings.side == 70
    assert embeddings._places(70, 1).tolist() == [70 * row for row in range(70)]
    assert embeddings._places(1, 35).tolist() == [2 * column for column in range(35)]
    for count in (1, 2, 3, 7, 25, 32, 49, 64, 100, 571):
        found = embeddings._places(count, 1) // 70
        exact = torch.tensor([70 * row // count for row in range(count)])
        # rounding in float32 moves a few by one, and the tower was trained with them moved
        assert (found - exact).abs().max() <= 1
        assert found.diff().ge(0).all()
    assert (embeddings._places(25, 1) // 70 != torch.tensor([70 * row // 25 for row in range(25)])).sum() == 4


def written_out(resampler: Resampler, seen: Tensor, rows: int, columns: int) -> Tensor:
    """The equations, one query, one head and one patch at a time; (queries, hidden) of (patches, seen)."""

    def norm(x: Tensor, of: torch.nn.LayerNorm) -> Tensor:
        return (x - x.mean()) / (x.var(unbiased=False) + 1e-6).sqrt() * of.weight + of.bias

    hidden = resampler.query.shape[1]
    heads, quarter = hidden // 128, hidden // 4
    values = [norm(resampler.kv_proj.weight @ patch, resampler.ln_kv) for patch in seen]
    places = []
    for row in range(rows):
        for column in range(columns):
            angles = [[place / 10000 ** (k / quarter) for k in range(quarter)] for place in (column, row)]
            places.append([f(angle) for half in angles for f in (math.sin, math.cos) for angle in half])
    keys = [value + torch.tensor(place) for value, place in zip(values, places, strict=True)]
    w_q, w_k, w_v = resampler.attn.in_proj_weight.split(hidden)
    b_q, b_k, b_v = resampler.attn.in_proj_bias.split(hidden)
    found = []
    for query in resampler.query:
        q = w_q @ norm(query, resampler.ln_q) + b_q
        heard = []
        for head in range(heads):
            own = slice(head * 128, head * 128 + 128)
            scores = torch.stack([q[own] @ (w_k @ key + b_k)[own] / math.sqrt(128) for key in keys])
            weights = scores.exp() / scores.exp().sum()
            heard.append(sum(w * (w_v @ value + b_v)[own] for w, value in zip(weights, values, strict=True)))
        out = resampler.attn.out_proj.weight @ torch.cat(heard) + resampler.attn.out_proj.bias
        found.append(norm(out, resampler.ln_post) @ resampler.proj)
    return torch.stack(found)


@torch.no_grad()
def test_the_resampler_is_one_look_of_learned_queries() -> None:
    resampler = shaken(Resampler(3, 256, 24), 0.05)
    seen = torch.randn(2, 6, 24)
    real = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
    found = resampler(seen, real, torch.tensor([[2, 3], [4, 1]]))
    torch.testing.assert_close(found[0], written_out(resampler, seen[0], 2, 3), atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(found[1], written_out(resampler, seen[1, :4], 4, 1), atol=1e-4, rtol=1e-3)


# -- audio ------------------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_over_its_whole_length_the_tower_is_whisper_itself() -> None:
    whisper = shaken(WhisperEncoder(AUDIO))
    tower = AudioTower(AUDIO).eval()
    tower.load_state_dict(whisper.state_dict())
    features = torch.randn(1, 8, 120)
    torch.testing.assert_close(tower(features), whisper(features).last_hidden_state, atol=1e-5, rtol=1e-4)
    chunked = tower(features, chunk=20)
    assert not torch.allclose(chunked[:, :20], tower(features)[:, :20], atol=1e-3)
    later = torch.cat([features[:, :, :60], torch.randn(1, 8, 60)], dim=2)
    # the convolutions look two frames ahead; beyond that, the first chunk knows nothing of what comes
    torch.testing.assert_close(tower(later, chunk=20)[:, :20], chunked[:, :20], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(tower(later, chunk=20)[:, 40:], chunked[:, 40:], atol=1e-3)


def test_a_state_looks_at_its_own_chunk_and_at_all_before_it() -> None:
    may = chunk_mask(5, 2, torch.zeros(1))[0, 0] == 0
    assert may.int().tolist() == [
        [1, 1, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 1, 1, 1],
    ]


def test_neighbours_become_their_mean() -> None:
    states = torch.arange(10.0).reshape(1, 5, 2)
    assert pooled(states, 2).tolist() == [[1.0, 2.0], [5.0, 6.0]]


@torch.no_grad()
def test_a_sound_takes_as_many_tokens_as_it_is_given_places() -> None:
    model, processor = tiny("minicpmo")
    noise = np.random.default_rng(0).normal(0, 0.1, 480_000).astype(np.float32)
    lengths = {1_600: 2, 8_000: 12, 16_000: 25, 25_000: 39, 31_999: 50, 64_000: 100}
    sounds = [noise[:length] for length in lengths]
    made = processor(text=["(<|audio_start|>./<|audio_end|>)" * len(sounds)], audio=sounds)
    unknown, start = (processor.tokenizer.convert_tokens_to_ids(token) for token in ("<unk>", "<|audio_start|>"))
    ids = made["input_ids"][0]
    assert torch.equal(ids == unknown, made["mm_token_type_ids"][0] == MEDIA_TYPES["audio"])
    assert int((ids == start).sum()) == sum(math.ceil(count / 25) for count in lengths.values())
    network = model.network.model
    alone = []
    for sound, count in zip(sounds, lengths.values(), strict=True):
        own = processor(text=["(<|audio_start|>./<|audio_end|>)"], audio=[sound])
        assert int((own["mm_token_type_ids"] == MEDIA_TYPES["audio"]).sum()) == count
        alone.append(network.hear(own["input_features"], own["feature_attention_mask"]))
        assert len(alone[-1]) == count
    torch.testing.assert_close(network.hear(made["input_features"], made["feature_attention_mask"]), torch.cat(alone))
    assert token_count(3_000, 2) == 750
    with pytest.raises(ValueError, match="longer than the 30 s"):
        processor(text=["(<|audio_start|>./<|audio_end|>)"], audio=[np.tile(noise, 2)])


# -- slices and chats -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "grid"),
    [
        ((448, 448), None),
        ((64, 48), None),
        ((672, 448), (2, 1)),
        ((448, 896), (1, 2)),
        ((1344, 1344), (3, 3)),
        ((4000, 500), (8, 1)),
        ((1000, 800), (2, 2)),
    ],
)
def test_a_large_image_is_cut_into_the_grid_nearest_to_its_shape(
    size: tuple[int, int], grid: tuple[int, int] | None
) -> None:
    assert SliceProcessor().grid(*size, 9) == grid


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 700), st.integers(1, 700), st.integers(1, 9))
def test_slices_are_whole_patches_of_about_one_size(width: int, height: int, most: int) -> None:
    images = SliceProcessor(scale_resolution=112)
    made = images.sliced(Image.new("RGB", (width, height), (255, 0, 0)), max_pixels=10**9, most=most)
    assert len(made.grids) == 1 + made.columns * made.rows
    assert made.columns * made.rows <= most
    assert len(set(made.grids[1:])) <= 1
    for patches, (rows, columns) in zip(made.patches, made.grids, strict=True):
        assert patches.shape == (rows * columns, 3 * 14 * 14)
        if max(width, height) <= 4 * min(width, height):
            assert 30 <= rows * columns <= 80  # 8 × 8, but for the shape
    np.testing.assert_allclose(made.patches[0][0].reshape(3, -1)[:, 0], [1.0, -1.0, -1.0], atol=1e-6)


def test_slices_stand_row_by_row_and_hold_what_is_there() -> None:
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0), (0, 250, 250), (250, 0, 250)]
    picture = Image.new("RGB", (168, 112))
    for place, colour in enumerate(colours):
        picture.paste(colour, (56 * (place % 3), 56 * (place // 3), 56 * (place % 3) + 56, 56 * (place // 3) + 56))
    made = SliceProcessor(scale_resolution=56).sliced(picture, max_pixels=10**9)
    assert (made.columns, made.rows) == (3, 2)
    for patches, colour in zip(made.patches[1:], colours, strict=True):
        middle = patches.reshape(-1, 3, 196).mean((0, 2))
        np.testing.assert_allclose(middle, np.array(colour) / 127.5 - 1, atol=0.2)
    small = SliceProcessor(scale_resolution=56).sliced(picture, max_pixels=56 * 56)
    assert (small.columns, small.rows) == (0, 0)


def test_a_chat_is_written_as_the_reward_model_was_trained() -> None:
    _, processor = tiny("minicpmo")
    content = [
        {"type": "image"},
        {"type": "text", "text": "a"},
        {"type": "image"},
        {"type": "video"},
        {"type": "audio"},
    ]
    messages = [{"role": "user", "content": content}, {"role": "assistant", "content": [{"type": "text", "text": "b"}]}]
    chat = processor.apply_chat_template(messages, tokenize=False)
    picture, sound = Image.new("RGB", (56, 56)), np.zeros(16_000, dtype=np.float32)
    made = processor(
        text=[chat], images=[Image.new("RGB", (112, 112)), picture], videos=[[picture, picture]], audio=[sound]
    )
    four, second = "<unk>" * 4, f"<|audio_start|>{'<unk>' * 25}<|audio_end|>"
    row = f"<slice>{four}</slice>" * 2
    assert processor.tokenizer.decode(made["input_ids"][0], skip_special_tokens=False) == (
        f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n"
        f"<image_id>0</image_id><image>{four}</image>{row}\n{row}a<image_id>1</image_id><image>{four}</image>"
        f"<image>{four}</image><image>{four}</image>{second}<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n"
    )
    counts = made["mm_token_type_ids"][0].bincount().tolist()[1:]
    assert counts == [4 * 6, 4 * 2, 25]
    assert (len(made["image_grids"]), len(made["video_grids"])) == (6, 2)


@pytest.mark.parametrize(
    ("text", "images", "told"),
    [("(<image>./</image>)", 0, "names more of image"), ("a", 1, "does not name every image")],
)
def test_a_chat_that_does_not_fit_its_media_is_refused(text: str, images: int, told: str) -> None:
    _, processor = tiny("minicpmo")
    with pytest.raises(ValueError, match=told):
        processor(text=[text], images=[Image.new("RGB", (20, 20))] * images)


def test_media_without_their_places_are_refused() -> None:
    model, processor = tiny("minicpmo")
    made = processor(text=["(<image>./</image>)"], images=[Image.new("RGB", (20, 20))])
    made["mm_token_type_ids"][0, -3] = 0
    with pytest.raises(ValueError, match="4 tokens of image, and 3 places"):
        model.network(**made)
    del made["mm_token_type_ids"]
    with pytest.raises(ValueError, match="4 tokens of image, and 0 places"):
        model.network(**made)
