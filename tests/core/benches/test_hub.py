"""A bench that is fetched from the Hub: at one commit, once, and told in a sentence where it cannot be."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from core.benching import Result
from core.errors import BadInput, StudioError
from core.jobs import KINDS
from core.nouns import Preference, Question
from tests.core.job_tools import Killed, ToldJudge, Tools

NAME = "Anthropic/hh-rlhf"


def talk(answer: str) -> str:
    return f"\n\nHuman: Hi\n\nAssistant: {answer}"


class Hub:
    """One dataset, whose commits are numbered; `asked` are the paths of what was fetched."""

    def __init__(self) -> None:
        self.commits: dict[str, dict[str, bytes]] = {}
        self.asked: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def answer(self, body: bytes, status: int = 200, **head: str) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                for name, value in head.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            def do_HEAD(self) -> None:
                self.do_GET()

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                newest = list(hub.commits)[-1]
                if path.startswith(f"/api/datasets/{NAME}"):
                    named = path.partition("/revision/")[2]
                    named = named or path.partition("/tree/")[2]
                    commit = newest if named in ("", "main") else named
                    if commit not in hub.commits:
                        return self.answer(b"{}", 404, X_Error_Code="RevisionNotFound")
                    files = [
                        {"type": "file", "path": name, "rfilename": name, "size": len(data), "oid": name}
                        for name, data in hub.commits[commit].items()
                    ]
                    told = files if "/tree/" in path else {"id": NAME, "sha": commit, "siblings": files}
                    return self.answer(json.dumps(told).encode())
                commit, _, name = path.partition(f"/datasets/{NAME}/resolve/")[2].partition("/")
                data = hub.commits[commit][name]
                if self.command == "GET":
                    hub.asked.append(f"{commit[0]}:{name}")
                return self.answer(data, ETag=f'"{sha256(data).hexdigest()}"', X_Repo_Commit=commit)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def commit(self, letter: str, answers: list[str]) -> None:
        rows = [json.dumps({"chosen": talk(answer), "rejected": talk("What?")}) for answer in answers]
        self.commits[letter * 40] = {"helpful-base/test.jsonl": "\n".join(rows).encode(), "README.md": b"# HH"}


@pytest.fixture
def hub() -> Iterator[Hub]:
    from huggingface_hub import constants

    found = Hub()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "HF_HUB_OFFLINE", False)
        patch.setattr(constants, "ENDPOINT", found.url)
        address = constants.HUGGINGFACE_CO_URL_TEMPLATE.removeprefix("https://huggingface.co")
        patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", found.url + address)
        yield found
    found.server.shutdown()
    found.server.server_close()


def longer(question: Question) -> Preference:
    first, second = (len(one.content.text or "") for one in (question.pair.first, question.pair.second))
    return Preference.FIRST if first > second else Preference.SECOND


def test_it_is_fetched_at_one_commit_and_a_stopped_run_stays_with_it(hub: Hub, tmp_path: Path) -> None:
    hub.commit("a", ["Hello! How can I help?", "Good morning to you.", "No"])
    tools = Tools({"told": ToldJudge("told", longer)})
    given = {"bench": "hh_rlhf", "judge": "told", "folder": "hub", "batch": 1}
    with pytest.raises(Killed):
        tools.run("bench_run", tmp_path, killed_after=1, **given)
    hub.commit("b", ["Something else"])
    tools.run("bench_run", tmp_path, **given)
    result = Result.model_validate_json((tmp_path / "result.json").read_text("utf-8"))
    assert (result.items, result.judged) == (3, 3)
    assert result.summaries[0].overall[0].over_all.value == pytest.approx(2 / 3)
    assert sorted(hub.asked) == ["a:README.md", "a:helpful-base/test.jsonl"], "nothing is fetched twice"


def test_a_revision_may_be_named(hub: Hub, tmp_path: Path) -> None:
    hub.commit("a", ["Hello! How can I help?"])
    hub.commit("b", ["Hello! How can I help?", "Good morning to you."])
    tools = Tools({"told": ToldJudge("told", longer)})
    tools.run("bench_run", tmp_path, bench="hh_rlhf", judge="told", folder=f"hub:{'a' * 40}")
    assert Result.model_validate_json((tmp_path / "result.json").read_text("utf-8")).items == 1


def test_what_cannot_be_fetched_is_a_sentence(hub: Hub, tmp_path: Path) -> None:
    hub.commit("a", ["Hello!"])
    tools = Tools({"told": ToldJudge("told", longer)})
    with pytest.raises(StudioError, match="Anthropic/hh-rlhf could not be fetched from the Hub"):
        tools.run("bench_run", tmp_path / "one", bench="hh_rlhf", judge="told", folder=f"hub:{'c' * 40}")
    with pytest.raises(BadInput, match="is not on the Hub"):
        tools.run("bench_run", tmp_path / "two", bench="multimodal_reward_bench", judge="told", folder="hub")
    spec = KINDS["bench_run"].Spec(bench="hh_rlhf", judge="told", folder="hub")
    with pytest.raises(BadInput, match="A dry run fetches nothing"):
        KINDS["bench_run"].estimate(spec, tools)
    hub.server.shutdown()
    hub.server.server_close()
    with pytest.raises(StudioError, match="Check the connection"):
        tools.run("bench_run", tmp_path / "three", bench="hh_rlhf", judge="told", folder="hub")
