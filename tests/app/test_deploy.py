"""Deploying, against a small server that speaks the part of the Hub's protocol that is used."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from app.deploy import deploy
from core.errors import BadInput, StudioError

SPACEFILE = """
title: T
emoji: ⚖️
color_from: indigo
color_to: yellow
short_description: s
sdk: gradio
sdk_version: 6.31.0
python_version: "3.11"
app_file: app/space.py
licence: apache-2.0
hardware: cpu-basic
sign_in: true
tags: [x]
variables: {STUDIO_HOST: 0.0.0.0}
secrets: [STUDIO_KEY]
"""


class Hub:
    """What arrived, and the address to send it to."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.variables: dict[str, str] = {}
        self.created: dict = {}
        self.refuse = False
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def answer(self, value: object, status: int = 200) -> None:
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                if hub.refuse:
                    return self.answer({"error": "You may not write here"}, 403)
                return self.answer({"type": "user", "name": "me", "id": "me/studio", "siblings": []})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if hub.refuse:
                    return self.answer({"error": "You may not write here"}, 403)
                if self.path.endswith("/repos/create"):
                    hub.created = json.loads(body)
                    return self.answer({"url": f"{hub.url}/spaces/me/studio"})
                if self.path.endswith("/variables"):
                    sent = json.loads(body)
                    hub.variables[sent["key"]] = sent["value"]
                    return self.answer({})
                if "/preupload/" in self.path:
                    asked = json.loads(body)["files"]
                    modes = [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in asked]
                    return self.answer({"files": modes})
                if "/commit/" not in self.path:  # the Hub also checks the header of the README
                    return self.answer({"warnings": [], "errors": []})
                for line in body.decode().splitlines():
                    item = json.loads(line)
                    if item["key"] == "file":
                        hub.files[item["value"]["path"]] = base64.b64decode(item["value"]["content"])
                return self.answer({"commitUrl": f"{hub.url}/spaces/me/studio/commit/1", "commitOid": "1"})

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    hub = Hub()
    yield hub
    hub.server.shutdown()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "space.py").write_text("print('hello')")
    (tmp_path / "Spacefile").write_text(SPACEFILE)
    (tmp_path / "README.md").write_text("---\ntitle: old\n---\n# Studio\n")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    (tmp_path / "notes.txt").write_text("not tracked, so it stays here")
    return tmp_path


def test_the_space_gets_its_variables_and_the_tracked_files(hub: Hub, checkout: Path) -> None:
    deployed = deploy("me/studio", root=checkout, endpoint=hub.url, token="hf_test")  # noqa: S106 - a test's token
    assert set(hub.files) == {"README.md", "Spacefile", "app/space.py"}
    assert hub.files["app/space.py"] == b"print('hello')"
    assert hub.files["README.md"].startswith(b"---\ntitle: T\n")
    assert hub.files["README.md"].endswith(b"# Studio\n")
    assert hub.variables == {"STUDIO_HOST": "0.0.0.0"}  # noqa: S104 - a Space listens everywhere
    assert (hub.created["visibility"], hub.created["sdk"]) == ("private", "gradio")
    assert (deployed.files, deployed.secrets) == (3, ("STUDIO_KEY",))


def test_a_refusal_is_told_in_the_hubs_words(hub: Hub, checkout: Path) -> None:
    hub.refuse = True
    with pytest.raises(StudioError, match="You may not write here"):
        deploy("me/studio", root=checkout, endpoint=hub.url, token="hf_test")  # noqa: S106
    assert hub.files == {}


def test_a_hub_that_nobody_reaches_is_told_in_a_sentence(checkout: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(StudioError, match="The Hub refused"):
        deploy("me/space", root=checkout, endpoint=nowhere, token=nowhere)


@pytest.mark.parametrize("name", ["studio", "a/b/c", "/studio", ""])
def test_a_wrong_name_says_how_to_write_it(name: str, checkout: Path) -> None:
    with pytest.raises(BadInput, match="owner/name"):
        deploy(name, root=checkout)


def test_outside_a_checkout_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "Spacefile").write_text(SPACEFILE)
    (tmp_path / "README.md").write_text("x")
    with pytest.raises(BadInput, match="not a git checkout"):
        deploy("me/studio", root=tmp_path)
