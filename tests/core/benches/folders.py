"""Small folders in each bench's own layout, their rows known. Media are bytes of a chosen size: who only weighs them,
as the `fixed` judge does, never opens them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from core.formats.omni_reward import TASK_NAMES
from core.nouns import Modality, Task

LARGE, SMALL, NEAR = 600, 100, 301  # bytes of a response; NEAR is one more than 300
FILES = {task: f"{name.replace('3d', '3D')}_preferences.json" for name, task in TASK_NAMES.items()}
# what stands in a row: bytes of the first and second response, and the label
RIGHT, WRONG = (LARGE, SMALL, "response1"), (LARGE, SMALL, "response2")
EVEN, NEARLY = (300, 300, "tie"), (NEAR, 300, "tie")
RIGHT_ROWS = {task: place % 6 + 1 for place, task in enumerate(Task)}  # of six that are no tie


def picture(shade: int = 0) -> bytes:
    buffer = BytesIO()
    Image.new("L", (4, 4), shade).save(buffer, format="PNG")
    return buffer.getvalue()


def omni_rows(task: Task) -> list[dict[str, Any]]:
    """Ten rows: six that are no tie, of which the larger response is right RIGHT_ROWS times; three ties, one between
    responses of equal size and two of nearly equal; one whose criterion makes the `fixed` judge fail."""
    right = RIGHT_ROWS[task]
    kinds = [RIGHT] * right + [WRONG] * (6 - right) + [EVEN, NEARLY, NEARLY, RIGHT]
    rows = []
    for number, (first, second, label) in enumerate(kinds):
        row = {
            "id": str(number),
            "prompt": f"Prompt {number}",
            "criteria": "Please fail." if number == 9 else "Prefer the better one.",
            "criteria_preference": label,
            "model1": "m1",
            "model2": "m2",
        }
        for key, size in (("response1", first), ("response2", second)):
            body = f"{task} {number} {key} ".ljust(size, "x")
            row[key] = body if task.response is Modality.TEXT else f"{task}/{number}_{key}.bin"
        if task.context is not None:
            row[f"{task.context}_path" if number % 2 else task.context.value] = f"{task}/context.bin"
        rows.append(row)
    return rows


def omni_folder(folder: Path, tasks: tuple[Task, ...] = tuple(Task)) -> Path:
    for task in tasks:
        rows, media = omni_rows(task), folder / "media_data" / task
        media.mkdir(parents=True, exist_ok=True)
        (media / "context.bin").write_bytes(b"context")
        sizes = {"response1": LARGE, "response2": SMALL}
        for number, row in enumerate(rows):
            for key in ("response1", "response2"):
                if task.response is not Modality.TEXT:
                    size = sizes[key]
                    if row["criteria_preference"] == "tie":
                        size = NEAR if key == "response1" and number > 6 else 300
                    (media / f"{number}_{key}.bin").write_bytes(f"{task} {number} {key} ".encode().ljust(size, b"x"))
        (folder / FILES[task]).write_text(json.dumps(rows), encoding="utf-8")
    return folder


VL_ROW = {
    "id": "RLAIF-V-14",
    "query": "What is on the table?",
    "response": ["A cup of tea.", "Two cups."],
    "human_ranking": [0, 1],
    "image_path": "images/a.png",
    "models": ["m1", "m2"],
    "query_source": "COCO",
}
MULTIMODAL_ROW = {
    "ID": "mathvista-12",
    "Text": "How many apples?",
    "Image": "images/a.png",
    "Output1": "Three apples.",
    "Output2": "Four.",
    "Better": "Output1",
    "Category": "reasoning",
}
REWARD_ROW = {
    "id": 7,
    "prompt": "What is 2 + 2?",
    "chosen": "It is 4, of course.",
    "rejected": "5",
    "subset": "math-prm",
    "chosen_model": "m1",
    "rejected_model": "m2",
}
REWARD_2_ROW = {
    "id": "12",
    "subset": "Math",
    "prompt": "What is 2 + 2?",
    "chosen": ["It is 4, of course."],
    "rejected": ["5", "6", "22"],
    "num_correct": 1,
    "total_completions": 4,
}
HH_ROW = {
    "chosen": "\n\nHuman: Hi\n\nAssistant: Hello! How can I help?",
    "rejected": "\n\nHuman: Hi\n\nAssistant: What?",
}


SHAREGPT_ROW = {
    "id": "video1026_0",
    "video": "/path/to/resource",
    "query": "What is the man cooking?",
    "answer_a": "An omelette with herbs.",
    "answer_b": "Soup.",
    "score_diff": 2.0,
    "label": 0,
}
AUDIO_HH_ROW = {
    "audio_prompt": "audio_output/sample_0000.wav",
    "answer_a": "In winter, when it is cool.",
    "answer_b": "Ask me later.",
    "label": 0,
}
FRAMES = 4


def with_frames(folder: Path, name: str = "video1026", frames: int = FRAMES, shade: int = 40) -> Path:
    """A video as ShareGPTVideo publishes it: a folder of JPEGs, ever lighter."""
    (folder / "msrvtt" / name).mkdir(parents=True)
    for number in range(frames):
        frame = Image.new("RGB", (32, 24), (shade * number, 20, 20))
        frame.save(folder / "msrvtt" / name / f"c01_{number + 1:04d}.jpeg", quality=95)
    return folder


def with_sounds(folder: Path, count: int = 2) -> Path:
    (folder / "audio_output").mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / "audio_output" / f"sample_{number:04d}.wav").write_bytes(b"sound %d" % number)
    return folder


def with_image(folder: Path) -> Path:
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "images" / "a.png").write_bytes(picture())
    return folder


def _lines(path: Path, *rows: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _vl(folder: Path) -> None:
    names = ("RLAIF-V-1", "mmmu_2", "wildvision-3")
    _lines(with_image(folder) / "data.jsonl", *({**VL_ROW, "id": name} for name in names))


def _multimodal(folder: Path) -> None:
    rows = [MULTIMODAL_ROW, {**MULTIMODAL_ROW, "ID": "nocaps-1", "Category": "preference"}]
    (with_image(folder) / "all_data.json").write_text(json.dumps(rows), encoding="utf-8")


def _reward(folder: Path) -> None:
    _lines(folder / "filtered.jsonl", REWARD_ROW, {**REWARD_ROW, "id": 8, "subset": "hep-go"})


def _reward_2(folder: Path) -> None:
    ties = {"subset": "Ties", "chosen": ["Red is one.", "Blue is one."], "rejected": ["Mud"]}
    tied = REWARD_2_ROW | ties | {"id": "tied:1", "num_correct": 2, "total_completions": 3}
    ref = REWARD_2_ROW | ties | {"id": "ref:1", "chosen": ["Green is one."], "num_correct": 1, "total_completions": 2}
    _lines(folder / "data" / "test.jsonl", REWARD_2_ROW, tied, ref)


def _hh(folder: Path) -> None:
    path = folder / "helpful-base" / "test.jsonl.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(json.dumps(HH_ROW).encode() + b"\n"))


def _sharegpt(folder: Path) -> None:
    (with_frames(folder) / "msrvtt" / "video7.mp4").write_bytes(b"video 7")
    others = {"id": "video7_2", "query": "What is driven?", "label": 1}
    _lines(folder / "top2000_diff2_correct_label.jsonl", SHAREGPT_ROW, SHAREGPT_ROW | others)


def _audio_hh(folder: Path) -> None:
    texts = [{"text_prompt": text} for text in ("When is the best time?", "How do I float?")]
    rows = [{key: value for key, value in AUDIO_HH_ROW.items() if key != "audio_prompt"} | text for text in texts]
    _lines(with_sounds(folder) / "text.jsonl", *rows)


FOLDERS: dict[str, Callable[[Path], Any]] = {
    "omni_reward_bench": omni_folder,
    "vl_reward_bench": _vl,
    "multimodal_reward_bench": _multimodal,
    "reward_bench": _reward,
    "reward_bench_2": _reward_2,
    "hh_rlhf": _hh,
    "sharegpt_video": _sharegpt,
    "audio_hh_rlhf": _audio_hh,
}
