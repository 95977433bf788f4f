"""The reward_head judge on tiny real models: rewards to verdicts, one failure a question, batches that fit."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import wave
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from app.backends import judge_backend
from app.doctor import check_all
from app.settings import Settings
from core.errors import JudgeFailed
from core.evidence import Measuring
from core.judges import JUDGES
from core.judges.reward_head import RewardHeadBackend, RewardHeadJudge
from core.judging import judge_questions
from core.modalities import Limits
from core.models.value_head.scoring import Scorer
from core.models.value_head.spec import RewardHeadSpec
from core.nouns import Content, FailureKind, Modality, Preference, PreferencePair, Question, Response, Task, Verdict
from tests.core.models.tiny_backbones import LIMITS, write_tiny
from tests.core.small_pairs import content, text_pair

MEDIA = LIMITS


def judge_of(folder: Path, **spec: Any) -> RewardHeadJudge:
    return RewardHeadBackend(RewardHeadSpec(model=str(folder), media=MEDIA, **spec), Limits()).load()


def asked(judge: RewardHeadJudge, *pairs: PreferencePair, criterion: str | None = "The truer one.") -> list[Verdict]:
    return judge.judge([Question(pair=pair, criterion=criterion) for pair in pairs], Measuring())


def rewards(verdict: Verdict) -> tuple[float, float]:
    assert verdict.failure is None, verdict.failure
    assert verdict.reward_1 is not None
    assert verdict.reward_2 is not None
    return verdict.reward_1, verdict.reward_2


def test_all_nine_tasks_get_rewards_and_the_verdict_follows_from_them(
    omni: Path, pairs: dict[Task, PreferencePair]
) -> None:
    for verdict in asked(judge_of(omni), *pairs.values()):
        first, second = rewards(verdict)
        assert verdict.preference is (Preference.FIRST if first > second else Preference.SECOND)
        assert verdict.p_first == pytest.approx(1 / (1 + np.exp(second - first)), abs=1e-9)
        assert verdict.p_tie == 0.0


def test_a_swapped_pair_swaps_its_rewards_exactly(omni: Path, pairs: dict[Task, PreferencePair]) -> None:
    judge = judge_of(omni)
    there, back = asked(judge, *pairs.values()), asked(judge, *(pair.swapped for pair in pairs.values()))
    for one, other in zip(there, back, strict=True):
        assert rewards(other) == rewards(one)[::-1]
        assert other.preference is one.preference.swapped


def test_company_order_and_batch_size_leave_a_verdict_alone(omni: Path, pairs: dict[Task, PreferencePair]) -> None:
    every = list(pairs.values())
    alone = [asked(judge_of(omni, batch_size=1), pair)[0] for pair in every]
    for size in (3, 64):
        together = asked(judge_of(omni, batch_size=size), *reversed(every))
        for one, other in zip(alone, reversed(together), strict=True):
            assert rewards(other) == pytest.approx(rewards(one), abs=1e-4)


def test_equal_responses_tie_and_are_read_once(omni: Path, pairs: dict[Task, PreferencePair]) -> None:
    judge = judge_of(omni)
    read = Counting(judge.scorer)
    twin = pairs[Task.T2I].model_copy(update={"second": pairs[Task.T2I].first})
    verdicts = asked(judge, twin, pairs[Task.T2I], twin)
    assert read.sizes == [2]
    assert [v.preference is Preference.TIE for v in verdicts] == [True, False, True]


def test_one_prompt_is_read_together_whoever_asks_between(omni: Path) -> None:
    judge = judge_of(omni, batch_size=4)
    prompts = [f"What is rain, {number}?" for number in range(8)]
    answers = [("Water.", "It falls from clouds."), ("Wet weather.", "Drops that fall.")]
    # each prompt has a pair in the first eight questions, and another in the next
    turns = [text_pair(*answer, prompt=prompt) for answer in answers for prompt in prompts]
    alone = [asked(judge, pair)[0] for pair in turns]
    rows: list[int] = []
    judge.scorer.model.register_forward_pre_hook(
        lambda module, args, kwargs: rows.append(len(kwargs["input_ids"])), with_kwargs=True
    )
    for one, other in zip(alone, asked(judge, *turns), strict=True):
        assert rewards(other) == pytest.approx(rewards(one), abs=1e-4)
    assert rows == [1] * 8


def test_ties_are_as_the_settings_say(omni: Path, pairs: dict[Task, PreferencePair]) -> None:
    pair = pairs[Task.T2T]
    first, second = rewards(asked(judge_of(omni), pair)[0])
    gap = abs(first - second)
    for threshold, tied in ((gap * 1.01, True), (gap * 0.99, False)):
        verdict = asked(judge_of(omni, tie_threshold=threshold, tie_weight=1.0), pair)[0]
        assert (verdict.preference is Preference.TIE) is tied
        assert verdict.p_tie > 0.2


def test_criteria_are_told_apart(omni: Path, pairs: dict[Task, PreferencePair]) -> None:
    questions = [Question(pair=pairs[Task.TI2T], criterion=criterion) for criterion in ("Truer.", "Shorter.", None, "")]
    verdicts = judge_of(omni).judge(questions, Measuring())
    assert [verdict.criterion for verdict in verdicts] == ["Truer.", "Shorter.", None, ""]
    assert len({rewards(verdict) for verdict in verdicts}) == 4


def test_pairs_that_differ_only_in_their_context_or_prompt_are_told_apart(
    omni: Path, pairs: dict[Task, PreferencePair]
) -> None:
    pair, other = pairs[Task.TI2T], pairs[Task.TI2I].first.content
    variants = [pair, pair.model_copy(update={"context": other}), pair.model_copy(update={"prompt": "Why?"})]
    verdicts = asked(judge_of(omni, batch_size=8), *variants)
    assert len({rewards(verdict) for verdict in verdicts}) == 3
    assert rewards(verdicts[1]) == pytest.approx(rewards(asked(judge_of(omni), variants[1])[0]), abs=1e-4)


# -- memory -----------------------------------------------------------------------------------------------------------


class Counting:
    """Stands between a scorer and its model: counts, and has memory for `most` responses, or for so long ones."""

    def __init__(self, scorer: Scorer, most: int = 99, longest: int = 10**6, error: Exception | None = None) -> None:
        self.model, self.most, self.longest, self.sizes = scorer.model, most, longest, []
        self.error = error or torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")
        scorer.model = self  # type: ignore[assignment]

    def __call__(self, ends: torch.Tensor, **inputs: Any) -> torch.Tensor:
        self.sizes.append(len(ends))
        if len(ends) > self.most or inputs["input_ids"].shape[1] > self.longest:
            raise self.error
        return self.model(ends=ends, **inputs)


@pytest.mark.parametrize("error", [None, RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")])
@pytest.mark.parametrize("most", [1, 3])
def test_too_large_a_batch_is_halved_until_it_fits(
    omni: Path, pairs: dict[Task, PreferencePair], most: int, error: Exception | None
) -> None:
    every = list(pairs.values())[:5]
    wanted = asked(judge_of(omni, batch_size=16), *every)
    judge = judge_of(omni, batch_size=16)
    counting = Counting(judge.scorer, most, error=error)
    found = asked(judge, *every)
    for one, other in zip(wanted, found, strict=True):
        assert rewards(other) == pytest.approx(rewards(one), abs=1e-4)
    five = {1: [5, 2, 1, 1, 3, 1, 2, 1, 1], 3: [5, 2, 3]}[most]
    assert counting.sizes == [10, *five, *five]


def test_a_response_that_does_not_fit_alone_fails_alone(omni: Path) -> None:
    judge = judge_of(omni, batch_size=8)
    Counting(judge.scorer, longest=400)
    short, long = text_pair(), text_pair(second="Rain. " * 100)
    verdicts = asked(judge, short, long, short)
    assert [verdict.failure is None for verdict in verdicts] == [True, False, True]
    assert verdicts[1].failure.kind is FailureKind.ERROR
    assert "does not fit into the device's memory, even alone" in verdicts[1].failure.message


def test_another_fault_of_the_model_costs_only_its_question(omni: Path, caplog: pytest.LogCaptureFixture) -> None:
    judge = judge_of(omni, batch_size=8)
    Counting(judge.scorer, longest=400, error=ValueError("odd shape"))
    verdicts = asked(judge, text_pair(), text_pair(second="Rain. " * 100))
    assert verdicts[0].failure is None
    assert "the log has the error" in verdicts[1].failure.message
    assert "odd shape" in caplog.text


def test_a_reward_that_is_no_number_is_a_failure(omni: Path) -> None:
    judge = judge_of(omni)
    with torch.no_grad():
        judge.scorer.model.summary.bias.fill_(float("nan"))
    verdict = asked(judge, text_pair())[0]
    assert verdict.failure.kind is FailureKind.ERROR
    assert "STUDIO_REWARD_HEAD__DTYPE" in verdict.failure.message


# -- what cannot be judged --------------------------------------------------------------------------------------------


def test_a_deaf_backbone_says_so_and_judges_the_rest(vision: Path, pairs: dict[Task, PreferencePair]) -> None:
    verdicts = dict(zip(pairs, asked(judge_of(vision), *pairs.values()), strict=True))
    failed = {task: verdict.failure for task, verdict in verdicts.items() if verdict.failure}
    assert set(failed) == {Task.T2A, Task.TA2T}
    assert {failure.kind for failure in failed.values()} == {FailureKind.NOT_COVERED}
    assert "takes in image, text, video, which is not enough for T2A" in failed[Task.T2A].message


def film(path: Path, pitch: float) -> Path:
    """A second of moving picture with a tone, or without where the pitch is 0."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=8)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("aac", rate=16000, layout="mono") if pitch else None
        for step in range(8):
            picture = np.full((48, 64, 3), 60 + 20 * step, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
        if sound is not None:
            wave_ = (0.4 * np.sin(2 * np.pi * pitch * np.arange(16000) / 16000)).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(wave_[None], format="fltp", layout="mono")
            frame.rate, frame.pts, frame.time_base = 16000, 0, Fraction(1, 16000)
            container.mux(sound.encode(frame))
            container.mux(sound.encode(None))
    return path


def test_the_sound_of_a_video_is_heard_where_there_are_ears(omni: Path, vision: Path, tmp_path: Path) -> None:
    first, second = (
        Response(content=Content.of_file(film(tmp_path / f"{pitch}.mp4", pitch), Modality.VIDEO))
        for pitch in (300, 900)
    )
    pair = PreferencePair(task=Task.T2V, prompt="A tone.", first=first, second=second)
    heard, seen = (asked(judge_of(folder), pair)[0] for folder in (omni, vision))
    assert rewards(heard)[0] != rewards(heard)[1]
    assert heard.rationale == ""
    assert seen.rationale == "Without the audio, which Qwen2.5-VL cannot take in."
    # the pictures are the same, and nothing else is left to tell them apart
    assert seen.preference is Preference.TIE


def test_meshes_and_rendered_images_of_them_are_both_judged(omni: Path, tmp_path: Path) -> None:
    responses = []
    for name, shape in (("ball", trimesh.creation.icosphere(2)), ("box", trimesh.creation.box((1, 2, 1)))):
        shape.export(tmp_path / f"{name}.glb")
        responses.append(Response(content=Content.of_file(tmp_path / f"{name}.glb", Modality.MESH)))
    meshes = PreferencePair(task=Task.T23D, prompt="A ball.", first=responses[0], second=responses[1])
    images = [Response(content=content(Modality.IMAGE, which, tmp_path)) for which in (0, 1)]
    rendered = PreferencePair(task=Task.T23D, prompt="A ball.", first=images[0], second=images[1])
    for verdict in asked(judge_of(omni), meshes, rendered):
        assert rewards(verdict)[0] != rewards(verdict)[1]


def test_one_bad_file_costs_the_others_nothing(omni: Path, pairs: dict[Task, PreferencePair], tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing more")
    Image.new("RGB", (4000, 12)).save(tmp_path / "thin.png")
    with wave.open(str(tmp_path / "long.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(np.random.default_rng(0).integers(-999, 999, 8000 * 70).astype("<i2").tobytes())
    names = {"broken.png": Task.T2I, "thin.png": Task.T2I, "long.wav": Task.T2A}
    bad = [
        pairs[task].model_copy(update={"second": Response(content=Content.of_file(tmp_path / name, task.response))})
        for name, task in names.items()
    ]
    first, broken, thin, long, last = asked(judge_of(omni), pairs[Task.T2I], *bad, pairs[Task.T2T])
    assert first.failure is last.failure is None
    assert {failed.failure.kind for failed in (broken, thin, long)} == {FailureKind.BAD_INPUT}
    assert "longer than the 60 s" in long.failure.message
    assert "cannot be given to Qwen2.5-Omni: absolute aspect ratio" in thin.failure.message


def test_threads_share_one_model(omni: Path, pairs: dict[Task, PreferencePair]) -> None:
    judge, found = judge_of(omni), []
    wanted = [rewards(verdict) for verdict in asked(judge, *pairs.values())]

    def ask() -> None:
        found.append([rewards(verdict) for verdict in asked(judge, *pairs.values())])

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [wanted] * 3


def test_no_question_no_verdict(omni: Path) -> None:
    assert judge_of(omni).judge([], Measuring()) == []


# -- settings ---------------------------------------------------------------------------------------------------------


def test_it_says_what_it_lacks(omni: Path, tmp_path: Path) -> None:
    def reason(model: str) -> str:
        told = RewardHeadBackend(RewardHeadSpec(model=model)).unavailable()
        assert told is not None
        with pytest.raises(JudgeFailed) as raised:
            RewardHeadBackend(RewardHeadSpec(model=model)).load()
        assert str(raised.value) == told
        return told

    assert "Set STUDIO_REWARD_HEAD__MODEL" in reason("")
    assert "There is no folder '/nowhere'" in reason("/nowhere")
    assert "no model in" in reason(str(tmp_path))
    headless = shutil.copytree(omni, tmp_path / "headless")
    (headless / "value_head.safetensors").unlink()
    assert "no value_head.safetensors" in reason(str(headless))
    (headless / "config.json").write_text('{"model_type": "llama"}')
    assert "'llama' cannot be run here" in reason(str(headless))
    assert RewardHeadBackend(RewardHeadSpec(model=str(omni))).unavailable() is None
    assert RewardHeadBackend(RewardHeadSpec(model="owner/name")).unavailable() is None


def test_looking_whether_it_can_run_loads_no_heavy_library(omni: Path) -> None:
    code = (
        "import sys; from core.judges.reward_head import RewardHeadBackend, RewardHeadSpec; "
        f"assert RewardHeadBackend(RewardHeadSpec(model={str(omni)!r})).unavailable() is None; "
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_device_that_is_not_there_is_told(omni: Path) -> None:
    with pytest.raises(JudgeFailed, match="There is no device 'cuda:99' here"):
        judge_of(omni, device="cuda:99")


@pytest.mark.parametrize(("model_type", "dtype"), [("qwen2_5_omni_thinker", "float16"), ("gemma4", "bfloat16")])
def test_half_precision_gives_nearly_the_same_rewards(
    model_type: str, dtype: str, pairs: dict[Task, PreferencePair], tmp_path: Path
) -> None:
    write_tiny(model_type, tmp_path)
    some = [pairs[task] for task in (Task.T2T, Task.TI2I, Task.T2V, Task.TA2T)]
    wanted, found = (asked(judge_of(tmp_path, dtype=kind), *some) for kind in ("float32", dtype))
    for one, other in zip(wanted, found, strict=True):
        assert rewards(other) == pytest.approx(rewards(one), abs=0.15)


def test_another_model_can_be_loaded_beside_that_of_the_settings(
    omni: Path, vision: Path, pairs: dict[Task, PreferencePair]
) -> None:
    backend = RewardHeadBackend(RewardHeadSpec(model=str(omni), media=MEDIA), Limits())
    other = backend.load(vision)
    assert other.name == f"reward_head:{vision.name}"
    own, others = (asked(judge, pairs[Task.T2I])[0] for judge in (backend.load(), other))
    assert (own.judge, others.judge) == ("reward_head", other.name)
    assert rewards(own) != rewards(others)


def test_the_environment_configures_it(
    omni: Path, pairs: dict[Task, PreferencePair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {
        "MODEL": str(omni),
        "REVISION": "",
        "BATCH_SIZE": "2",
        "MEDIA__FRAMES": "3",
        "MEDIA__IMAGE_PIXELS": "3136",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"STUDIO_REWARD_HEAD__{name}", value)
    settings = Settings(data_dir=tmp_path)
    assert (settings.reward_head.batch_size, settings.reward_head.media.frames) == (2, 3)
    assert settings.reward_head.revision is None
    assert next(check for check in check_all(settings) if check.name == "judge reward_head").says == "can run here"
    judge = judge_backend("reward_head", settings).load()
    verdicts = judge_questions(judge, [Question(pair=pairs[Task.T2V], criterion=None)], Measuring())
    rewards(verdicts[0])
    assert JUDGES["reward_head"].unavailable() is not None, "the shelf keeps no settings"
