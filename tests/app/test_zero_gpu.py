"""On a Space with ZeroGPU: the judges that would stand on the GPU say that they cannot, and the others go on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.backends import judge_backend, runnable_judge
from app.settings import Settings
from app.studio import JudgeRequest, Studio
from core.errors import JudgeFailed
from core.models.value_head.spec import RewardHeadSpec
from core.nouns import Modality
from tests.core.models.tiny_backbones import LIMITS, write_tiny

ROOT = Path(__file__).resolve().parents[2]
STAYS = "needs a GPU that stays"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("omni")
    write_tiny("qwen2_5_omni_thinker", folder)
    return folder


def settings(data: Path, folder: Path, device: str = "auto") -> Settings:
    return Settings(
        data_dir=data, judge="fixed", reward_head=RewardHeadSpec(model=str(folder), media=LIMITS, device=device)
    )


@pytest.fixture
def studio(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    studio = Studio(settings(tmp_path / "data", folder))
    yield studio
    studio.residency.close()
    studio.engine.dispose()


def test_the_picker_says_which_judges_need_a_gpu_that_stays(studio: Studio) -> None:
    told = {state.name: state.unavailable for state in studio.judges()}
    refused = {name for name, reason in told.items() if reason is not None and STAYS in reason}
    assert {"reward_head", "generative", "qwen2.5-omni-7b"} <= refused
    assert {"starter", "starter_r1", "fixed", "endpoint"}.isdisjoint(refused)
    assert told["starter"] is None


def test_whoever_asks_such_a_judge_is_told_and_others_judge_on(studio: Studio) -> None:
    def request(judge: str) -> JudgeRequest:
        first, second = (studio.receive_text(text).content for text in ("one", "two"))
        return JudgeRequest(modality=Modality.TEXT, first=first, second=second, judge=judge)

    with pytest.raises(JudgeFailed, match=STAYS):
        studio.judge(request("reward_head"), "me")
    assert studio.judge(request("fixed"), "me").verdicts[0].failure is None


def test_elsewhere_and_on_the_cpu_nothing_changes(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    on_cpu = settings(tmp_path, folder, device="cpu")
    assert judge_backend("reward_head", on_cpu).unavailable() is None
    assert runnable_judge("reward_head", on_cpu).name == "reward_head"
    with pytest.raises(JudgeFailed, match=STAYS):
        runnable_judge("reward_head", settings(tmp_path, folder))
    monkeypatch.setenv("SPACES_ZERO_GPU", "false")
    assert runnable_judge("reward_head", settings(tmp_path, folder)).name == "reward_head"


def test_doctor_names_the_hardware_and_never_imports_spaces(tmp_path: Path) -> None:
    (tmp_path / "spaces.py").write_text("raise SystemExit('spaces was imported')\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STUDIO_")}
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "app", "doctor", "--json"],
        cwd=ROOT,
        env=kept | {"STUDIO_DATA_DIR": str(tmp_path / "data"), "SPACES_ZERO_GPU": "true", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 1, done.stderr  # something is to be mended
    found = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert found["hardware"]["state"] == "mend"
    assert "CPU basic" in found["hardware"]["says"]
    assert STAYS in found["judge generative"]["says"]
    assert found["judge starter"]["state"] == "ok"
