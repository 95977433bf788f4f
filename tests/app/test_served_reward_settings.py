"""A served reward model from the environment to a verdict, on the page's side and on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.__main__ import cli, settings_table
from app.settings import Settings
from app.studio import Studio
from core.models.served import ServedRewardSpec
from tests.core.judges.chat_server import Received, Reply, pooled, serving

KEY = "sk-very-secret-4711"


def longer_is_better(request: Received) -> Reply:
    return pooled([len(request.body["messages"][-1]["content"]) / 10])


def test_the_picker_says_what_to_set_until_it_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def state() -> str | None:
        studio = Studio(Settings(data_dir=tmp_path))
        return next(one.unavailable for one in studio.judges() if one.name == "served_reward")

    told = state()
    assert told is not None
    assert "Set STUDIO_SERVED_REWARD__BASE_URL and STUDIO_SERVED_REWARD__MODEL" in told
    values = {"BASE_URL": "http://127.0.0.1:8000", "MODEL": "toy", "API_KEY": KEY, "TASK": "", "TIE_WEIGHT": "0.5"}
    for name, value in values.items():
        monkeypatch.setenv(f"STUDIO_SERVED_REWARD__{name}", value)
    assert state() is None
    settings = Settings(data_dir=tmp_path)
    assert (settings.served_reward.task, settings.served_reward.tie_weight) == (None, 0.5)
    assert KEY in settings.secrets()
    assert KEY not in repr(settings) + settings.model_dump_json()


def test_the_command_line_asks_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pairs.jsonl").write_text(
        '{"id":"1","task":"t2t","prompt":"Rain?","criterion":null,"response_1":"Water.","response_2":"Much water."}\n'
    )
    monkeypatch.setenv("STUDIO_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("STUDIO_SERVED_REWARD__API_KEY", KEY)
    command = ["judge", str(tmp_path / "pairs.jsonl"), "--judge", "served_reward", "--out", str(tmp_path / "out.jsonl")]
    unset = CliRunner().invoke(cli, command)
    assert unset.exit_code == 2
    assert "Set STUDIO_SERVED_REWARD__BASE_URL" in unset.stderr
    with serving(longer_is_better) as server:
        monkeypatch.setenv("STUDIO_SERVED_REWARD__BASE_URL", server.root)
        monkeypatch.setenv("STUDIO_SERVED_REWARD__MODEL", "toy")
        done = CliRunner().invoke(cli, command)
        looked = CliRunner().invoke(cli, ["doctor"])
    assert done.exit_code == 0, done.output
    written = (tmp_path / "out.jsonl").read_text()
    assert json.loads(written)["preference"] == "second"
    assert all(request.headers["Authorization"] == f"Bearer {KEY}" for request in server.received)
    assert "judge served_reward" in looked.output
    assert KEY not in written + done.output + unset.output + looked.output


def test_every_setting_is_told_with_its_meaning() -> None:
    table = settings_table()
    for name, field in ServedRewardSpec.model_fields.items():
        assert f"STUDIO_SERVED_REWARD__{name.upper()}" in table
        assert field.description
        assert field.description in table
