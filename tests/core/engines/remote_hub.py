"""The part of the Hub's protocol that the engine hf_jobs speaks: a dataset repository, and jobs that really run, as
processes of this machine over what was uploaded."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

REPO = "me/exchange"
TOKEN = "hf_made_up_for_this_test"  # noqa: S105


class RemoteJob:
    """One job: its command in a process with the environment that was asked for, and nothing of this one's."""

    def __init__(self, number: int, asked: dict[str, Any], folder: Path, path: str) -> None:
        self.id, self.asked, self.cancelled = f"job{number}", asked, False
        self.log = folder / f"{self.id}.log"
        home = folder / f"{self.id}.home"
        home.mkdir()
        given = {"PATH": path, "HOME": str(home), "TMPDIR": str(home), "OMP_NUM_THREADS": "1"}
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                asked["command"],
                env=given | asked["environment"] | asked["secrets"],
                cwd=home,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def cancel(self) -> None:
        self.cancelled = True
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(30)

    def told(self) -> dict[str, Any]:
        code = self.process.poll()
        stage = "CANCELED" if self.cancelled else "RUNNING" if code is None else "ERROR" if code else "COMPLETED"
        owner = {"id": "1", "name": "me", "type": "user"}
        return {"id": self.id, "owner": owner, "status": {"stage": stage, "message": None}}


class RemoteHub:
    """What lies there, what was asked (method, path, head and body), and the jobs. `broken` makes the program of later
    jobs end with an error, `private` says whether others cannot read the repository."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.private, self.refuse, self.broken, self.away = folder, True, False, False, 0
        self.files: dict[str, bytes] = {}
        self.seen: list[str] = []  # every path that ever lay there
        self.asked: list[tuple[str, str, str, bytes]] = []
        self.jobs: list[RemoteJob] = []
        self.tools = folder / "tools"
        self.tools.mkdir()
        for name in ("pip", "apt-get"):  # what they would install is on this machine
            (self.tools / name).write_text(f'#!/bin/sh\necho "{name} $*"\n[ ! -e "{folder}/hold" ] || exec sleep 600\n')
            (self.tools / name).chmod(0o755)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def start(self, asked: dict[str, Any]) -> RemoteJob:
        path = [str(self.tools), str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]
        if self.broken:
            asked = asked | {"environment": asked["environment"] | {"STUDIO_MAX_CRITERIA": "none"}}
        self.jobs.append(RemoteJob(len(self.jobs) + 1, asked, self.folder, ":".join(path)))
        return self.jobs[-1]

    def hold(self, held: bool = True) -> None:
        """Let later jobs install things for ever."""
        (self.folder / "hold").touch() if held else (self.folder / "hold").unlink()

    def close(self) -> None:
        for job in self.jobs:
            job.cancel()
        self.server.shutdown()
        self.server.server_close()

    def commit(self, body: bytes) -> None:
        for line in body.splitlines():
            item = json.loads(line)
            if item["key"] == "file":
                self.files[item["value"]["path"]] = base64.b64decode(item["value"]["content"])
                self.seen.append(item["value"]["path"])
            elif item["key"] == "deletedFolder":
                gone = item["value"]["path"].rstrip("/") + "/"
                self.files = {path: data for path, data in self.files.items() if not path.startswith(gone)}


def _handler(hub: RemoteHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def answer(self, value: object, status: int = 200, **head: str) -> None:
            body = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            for name, said in head.items():
                self.send_header(name.replace("_", "-"), said)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def received(self) -> bytes:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            hub.asked.append((self.command, self.path, str(self.headers), body))
            return body

        def refused(self) -> bool:
            if not hub.refuse and self.headers.get("Authorization") == f"Bearer {TOKEN}":
                return False
            self.answer({"error": "You may not do this"}, 403)
            return True

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            self.received()
            if self.refused():
                return None
            path = self.path.partition("?")[0]
            if f"/datasets/{REPO}/resolve/main/" in path:
                data = hub.files.get(path.partition("/resolve/main/")[2])
                if data is None:
                    return self.answer({"error": "not there"}, 404, X_Error_Code="EntryNotFound")
                return self.answer(data, ETag=f'"{sha256(data).hexdigest()}"', X_Repo_Commit="c" * 40)
            if path.startswith("/api/jobs/"):
                if hub.away:
                    hub.away -= 1
                    return self.answer({"error": "away"}, 503)
                _, _, _, owner, name, *rest = path.split("/")
                job = next(job for job in hub.jobs if job.id == name)
                assert owner == "me"
                return self.answer(_events(job)) if rest == ["logs"] else self.answer(job.told())
            if path.startswith("/api/datasets/"):
                return self.answer({"id": REPO, "private": hub.private, "siblings": [], "sha": "c" * 40})
            return self.answer({"type": "user", "name": "me", "id": "1"})

        def do_POST(self) -> None:
            body = self.received()
            if self.refused():
                return None
            if self.path == "/api/jobs/me":
                return self.answer(hub.start(json.loads(body)).told())
            if self.path.endswith("/cancel"):
                next(job for job in hub.jobs if job.id == self.path.split("/")[-2]).cancel()
                return self.answer({})
            if self.path.endswith("/repos/create"):
                return self.answer({"url": f"{hub.url}/datasets/{REPO}", "name": REPO})
            if "/preupload/" in self.path:
                files = json.loads(body)["files"]
                modes = [{"path": file["path"], "uploadMode": "regular", "shouldIgnore": False} for file in files]
                return self.answer({"files": modes})
            if "/commit/" in self.path:
                hub.commit(body)
                return self.answer({"commitUrl": f"{hub.url}/datasets/{REPO}/commit/{'c' * 40}", "commitOid": "c" * 40})
            return self.answer({"error": f"nothing answers at {self.path}"}, 404)

    return Handler


def _events(job: RemoteJob) -> bytes:
    """The job's log as server-sent events."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    lines = job.log.read_text(errors="replace").splitlines()
    return "".join(f"data: {json.dumps({'data': line, 'timestamp': now})}\n\n" for line in lines).encode()


@contextmanager
def remote_hub(folder: Path) -> Iterator[RemoteHub]:
    """The stand-in, where huggingface_hub finds it in this process and in those that it starts."""
    from huggingface_hub import constants

    from core.engines import hf_jobs

    hub = RemoteHub(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "HF_HUB_OFFLINE", False)
        patch.setattr(constants, "ENDPOINT", hub.url)
        address = constants.HUGGINGFACE_CO_URL_TEMPLATE.removeprefix("https://huggingface.co")
        patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + address)
        patch.setenv("HF_ENDPOINT", hub.url)
        patch.setenv("HF_HUB_OFFLINE", "0")
        patch.setattr(hf_jobs, "FIRST_LOOK", 0.2)
        patch.setattr(hf_jobs, "LAST_LOOK", 1.0)
        try:
            yield hub
        finally:
            hub.close()
