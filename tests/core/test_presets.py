"""Presets: every shipped one says what it is and binds; an own file adds and replaces; what cannot run says why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from app.backends import judge_backend, judge_names
from app.doctor import check_all
from app.settings import Settings
from app.studio import Studio
from core.errors import BadInput, JudgeFailed, NotFound
from core.evidence import Measuring
from core.judges import JUDGES
from core.modalities import Limits
from core.models.generative.spec import GenerativeSpec
from core.models.prompts import PromptStyle
from core.models.served import EndpointSpec
from core.models.value_head.hub import complete_folder
from core.models.value_head.spec import RewardHeadSpec
from core.nouns import Noun, Question
from core.presets import Preset, PresetBackend, read_presets
from tests.core.models.tiny_backbones import LIMITS, write_tiny
from tests.core.small_pairs import text_pair

SPECS: dict[str, Noun] = {
    "generative": GenerativeSpec(),
    "reward_head": RewardHeadSpec(),
    "endpoint": EndpointSpec(),
}
SHIPPED = read_presets(SPECS)
OWN: dict[str, Any] = {
    "id": "mine",
    "title": "Mine",
    "about": "A model of my own.",
    "backend": "generative",
    "model": "owner/name",
    "licence": "Ours.",
    "memory_gb": 8,
}


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the Hub, whatever this machine has fetched before."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    write_tiny("qwen2_5_vl", folder)
    return folder


def written(folder: Path, *presets: dict[str, Any]) -> Path:
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump(list(presets)), encoding="utf-8")
    return path


def backend(preset: Preset, *gpus: float, spec: Noun | None = None) -> PresetBackend:
    return PresetBackend(
        preset, spec or SPECS[preset.backend], Limits(), memory=lambda: tuple(int(gpu * 1e9) for gpu in gpus)
    )


# -- the shipped ones -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(SHIPPED))
def test_every_shipped_preset_says_what_it_is_and_why_it_cannot_run(name: str) -> None:
    preset = SHIPPED[name]
    for gpus in ((), (4.0,), (1000.0,)):
        plug = backend(preset, *gpus)
        assert plug.title == preset.title
        assert preset.licence in plug.about
        assert plug.modalities
        reason = plug.unavailable()
        assert reason is not None, "nothing of it is on this machine"
        assert reason.strip()
        with pytest.raises(JudgeFailed) as raised:
            plug.load()
        assert str(raised.value) == reason
    assert plug.size() == (0 if preset.backend == "endpoint" else preset.memory_gb * 1e9)
    assert preset.bound(SPECS[preset.backend]).model == preset.model  # type: ignore[attr-defined]


def test_the_published_models_are_there_and_ask_in_their_own_style() -> None:
    styles = {name: preset.settings.get("style") for name, preset in SHIPPED.items()}
    assert styles["omni-rewardmodel-r1"] == "r1"
    assert styles["omni-rrm-3b"] == styles["omni-rrm-7b"] == "rrm"
    assert styles["qwen2.5-omni-7b"] == styles["qwen2.5-vl-7b"] == "plain"
    told = backend(SHIPPED["omni-rewardmodel-bt"], 1000.0).unavailable()
    assert "hf download jinzhuoran/OmniRewardModel" in told


def test_the_published_reward_model_judges_once_a_checkpoint_of_its_kind_is_here(tmp_path: Path) -> None:
    write_tiny("minicpmo", tmp_path)
    preset = SHIPPED["omni-rewardmodel-bt"].model_copy(update={"model": str(tmp_path)})
    plug = backend(preset, spec=RewardHeadSpec(device="cpu"))
    assert plug.unavailable() is None
    assert (plug.spec.media.frames, plug.spec.media.image_pixels) == (4, 768 * 768)
    [verdict] = plug.load().judge([Question(pair=text_pair(), criterion=None)], Measuring())
    assert verdict.failure is None
    assert verdict.judge == "omni-rewardmodel-bt"


# -- why not ----------------------------------------------------------------------------------------------------------


def test_it_says_what_the_machine_lacks_in_the_order_in_which_it_matters(hub: Path, tiny_folder: Path) -> None:
    preset = Preset(**OWN)
    assert "There is no GPU here, and it wants one with about 8 GB" in backend(preset).unavailable()
    assert "here there are 4" in backend(preset, 2.0, 4.0).unavailable()
    assert "hf download owner/name" in backend(preset, 16.0).unavailable()
    assert "hf download owner/name" in backend(preset, 5.0, 4.0, spec=GenerativeSpec(device="spread")).unavailable()
    assert "hf download owner/name" in backend(preset, spec=GenerativeSpec(device="cpu")).unavailable()
    pinned = preset.model_copy(update={"revision": "v1"})
    assert backend(pinned, 16.0).unavailable().endswith("hf download owner/name --revision v1")
    model = hub / "models--owner--name"
    snapshot = model / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("abc")
    (snapshot / "config.json").write_text('{"model_type": "llama"}')
    (snapshot / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "1.safetensors"}}))
    assert "hf download" in backend(preset, 16.0).unavailable(), "its weights are not all here"
    (snapshot / "1.safetensors").write_bytes(b"")
    assert complete_folder(GenerativeSpec(model="owner/name")) == snapshot
    assert "'llama' cannot be run here" in backend(preset, 16.0).unavailable()
    for file in tiny_folder.iterdir():
        (snapshot / file.name).write_bytes(file.read_bytes())
    assert backend(preset, 16.0).unavailable() is None


def test_a_preset_judges_under_its_own_name_and_settings(tiny_folder: Path) -> None:
    settings = {"style": "plain", "max_tokens": 3, "media": {"frames": 2}}
    preset = Preset(**OWN | {"model": str(tiny_folder), "settings": settings})
    base = GenerativeSpec(device="cpu", media=LIMITS, max_tokens=99)
    plug = backend(preset, spec=base)
    assert plug.spec.style is PromptStyle.PLAIN
    assert (plug.spec.max_tokens, plug.spec.device) == (3, "cpu")
    assert plug.spec.media == LIMITS.model_copy(update={"frames": 2})
    judge = plug.load()
    [verdict] = judge.judge([Question(pair=text_pair(), criterion=None)], Measuring())
    assert verdict.failure is None
    assert verdict.judge == judge.name == "mine"
    with pytest.raises(JudgeFailed, match="choose generative for another"):
        plug.load(tiny_folder)


def test_a_served_preset_goes_where_the_settings_say_with_their_key() -> None:
    spec = EndpointSpec(base_url="http://127.0.0.1:1/v1", api_key=SecretStr("sk-1234567"), model="other")
    plug = backend(SHIPPED["served-qwen2.5-omni-7b"], spec=spec)
    assert plug.unavailable() is None
    assert (plug.spec.base_url, plug.spec.api_key) == (spec.base_url, spec.api_key)
    assert plug.spec.model == "Qwen/Qwen2.5-Omni-7B"
    judge = plug.load()
    assert judge.name == "served-qwen2.5-omni-7b"
    judge.close()


# -- an own file ------------------------------------------------------------------------------------------------------


def test_an_own_file_adds_and_replaces(tmp_path: Path, tiny_folder: Path) -> None:
    published = OWN | {"id": "omni-rewardmodel-r1", "model": str(tiny_folder), "title": "Found it"}
    own = written(tmp_path, OWN, published)
    found = read_presets(SPECS, own)
    assert set(found) == {*SHIPPED, "mine"}
    assert found["omni-rewardmodel-r1"].title == "Found it"
    settings = Settings(data_dir=tmp_path, presets=own, generative={"device": "cpu"})
    assert judge_names(settings) == [*JUDGES, *SHIPPED, "mine"]
    states = {state.name: state for state in Studio(settings).judges()}
    assert states["omni-rewardmodel-r1"].unavailable is None
    assert "hf download owner/name" in states["mine"].unavailable
    checks = {check.name: check for check in check_all(settings)}
    assert checks["judge omni-rewardmodel-r1"].says == "can run here"
    assert checks["judge mine"].state == "note"
    with pytest.raises(NotFound, match=r"there are: .*mine"):
        judge_backend("nobody", settings)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"id": "Mine!"}, "The preset Mine! of own.yaml cannot be used: id"),
        ({"id": "starter"}, "'starter' is a judge of its own"),
        ({"backend": "oracle"}, "backend"),
        ({"licence": ""}, "licence"),
        ({"model": ""}, "names its model, or says in `blocked` why"),
        ({"memory_gb": None}, "memory_gb"),
        ({"colour": "red"}, "colour: Extra inputs"),
        ({"settings": {"style": "verse"}}, "style"),
        ({"settings": {"no_such_setting": 1}}, "no_such_setting"),
        ({"settings": {"media": {"frames": 0}}}, "media.frames"),
        ({"settings": {"api_key": "sk-1"}}, "settings may not hold api_key"),
        ({"backend": "endpoint", "settings": {"base_url": "http://elsewhere"}}, "settings may not hold base_url"),
        ({"backend": "endpoint"}, "an endpoint has no revision and takes no memory here"),
    ],
)
def test_what_does_not_fit_is_named(entry: dict[str, Any], told: str, tmp_path: Path) -> None:
    path = written(tmp_path, OWN | entry)
    with pytest.raises(BadInput) as raised:
        read_presets(SPECS, path)
    assert told in str(raised.value)
    assert "own.yaml" in str(raised.value)


@pytest.mark.parametrize(
    ("text", "told"), [("a: {", "cannot be read"), ("a: 1", "should be a list"), ("- 7", "preset 1")]
)
def test_a_file_that_is_none_is_told(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(BadInput, match=told):
        read_presets(SPECS, path)
    with pytest.raises(BadInput, match=r"gone\.yaml cannot be read"):
        read_presets(SPECS, tmp_path / "gone.yaml")
    path.write_text(yaml.safe_dump([OWN, OWN]))
    with pytest.raises(BadInput, match="has mine more than once"):
        read_presets(SPECS, path)
    broken = [check for check in check_all(Settings(data_dir=tmp_path, presets=path)) if check.name == "presets"]
    assert [check.state for check in broken] == ["mend"]
