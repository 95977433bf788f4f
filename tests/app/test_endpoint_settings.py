"""A served model from the environment to a stored verdict, and its key nowhere on that way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from app.__main__ import cli, settings_table
from app.settings import Settings
from app.studio import JudgeRequest, Studio
from core.models.prompts import PromptStyle
from core.models.served import EndpointSpec
from core.nouns import Modality, Preference
from tests.core.judges.chat_server import completion, prefers_longer, serving

KEY = "sk-very-secret-4711"


def state_of(studio: Studio) -> str | None:
    return next(state.unavailable for state in studio.judges() if state.name == "endpoint")


def test_with_nothing_set_the_picker_says_what_to_set(tmp_path: Path) -> None:
    told = state_of(Studio(Settings(data_dir=tmp_path)))
    assert told is not None
    assert "Set STUDIO_ENDPOINT__BASE_URL and STUDIO_ENDPOINT__MODEL" in told


def test_the_environment_configures_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"BASE_URL": "http://127.0.0.1:8000/v1", "MODEL": "toy", "API_KEY": KEY, "STYLE": "rrm", "TIES": "false"}
    for name, value in (values | {"TEMPERATURE": "", "CONCURRENCY": "9", "PRICE_IN": ""}).items():
        monkeypatch.setenv(f"STUDIO_ENDPOINT__{name}", value)
    settings = Settings(data_dir=tmp_path)
    spec = settings.endpoint
    assert spec.api_key is not None
    assert spec.api_key.get_secret_value() == KEY
    assert (spec.style, spec.ties, spec.temperature, spec.concurrency) == (PromptStyle.RRM, False, None, 9)
    assert spec.price_in is None
    assert state_of(Studio(settings)) is None
    assert KEY not in repr(settings) + str(settings) + settings.model_dump_json()


@pytest.mark.parametrize(
    ("name", "value"),
    [("STYLE", "verse"), ("SAMPLES", "0"), ("ATTEMPTS", "99"), ("NO_SUCH_SETTING", "1"), ("TIMEOUT", "-1")],
)
def test_a_wrong_setting_is_named_without_the_key(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDIO_ENDPOINT__API_KEY", KEY)
    monkeypatch.setenv(f"STUDIO_ENDPOINT__{name}", value)
    with pytest.raises(ValidationError, match=name.lower()) as raised:
        Settings()
    assert KEY not in str(raised.value)


def test_a_verdict_of_a_served_model_is_stored_without_the_key(tmp_path: Path) -> None:
    replies = (prefers_longer, lambda request: completion(f"{KEY}?"))
    for number, answer in enumerate(replies):
        with serving(answer) as server:
            folder = tmp_path / str(number)
            endpoint = {"base_url": server.url, "model": "toy", "api_key": KEY}
            studio = Studio(Settings(data_dir=folder, endpoint=endpoint))
            request = JudgeRequest(
                modality=Modality.TEXT,
                prompt="What is rain?",
                first=studio.receive_text("Rain is water that falls from clouds.").content,
                second=studio.receive_text("Rain falls.").content,
                criteria=("The longer one.",),
                judge="endpoint",
            )
            judged = studio.judge(request, owner="tester")
            again = studio.load(judged.pair.id)
        assert len(server.received) == 2
        assert all(received.headers["Authorization"] == f"Bearer {KEY}" for received in server.received)
        [verdict] = again.verdicts
        assert (verdict.judge, verdict.preference) == ("endpoint", None if number else Preference.FIRST)
        studio.engine.dispose()
        for file in folder.rglob("*"):
            assert not file.is_file() or KEY.encode() not in file.read_bytes()


def test_the_command_line_asks_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pairs.jsonl").write_text(
        '{"id":"1","task":"t2t","prompt":"Rain?","criterion":null,"response_1":"Water.","response_2":"Much water."}\n'
    )
    monkeypatch.setenv("STUDIO_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("STUDIO_ENDPOINT__API_KEY", KEY)
    command = ["judge", str(tmp_path / "pairs.jsonl"), "--judge", "endpoint", "--out", str(tmp_path / "out.jsonl")]
    unset = CliRunner().invoke(cli, command)
    assert unset.exit_code == 2
    assert "Set STUDIO_ENDPOINT__BASE_URL" in unset.stderr
    with serving(prefers_longer) as server:
        monkeypatch.setenv("STUDIO_ENDPOINT__BASE_URL", server.url)
        monkeypatch.setenv("STUDIO_ENDPOINT__MODEL", "toy")
        done = CliRunner().invoke(cli, command)
        looked = CliRunner().invoke(cli, ["doctor"])
    assert done.exit_code == 0, done.output
    written = (tmp_path / "out.jsonl").read_text()
    assert json.loads(written)["preference"] == "second"
    assert "judge endpoint" in looked.output
    assert KEY not in written + done.output + unset.output + looked.output


def test_every_setting_is_told_with_its_meaning() -> None:
    table = settings_table()
    for name, field in EndpointSpec.model_fields.items():
        assert f"STUDIO_ENDPOINT__{name.upper()}" in table
        assert field.description
        assert field.description in table
