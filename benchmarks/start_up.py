"""How long the page takes to be served, against a bare Gradio page, and the memory that the program holds.

    make benchmark-start

Both programs are started in turn, each several times, and asked until their page answers; medians are printed.
Memory is the resident set of the studio's process: idle, and after one judged pair of each modality.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import media

ROOT = Path(__file__).resolve().parent.parent
BARE = """
import gradio
with gradio.Blocks() as demo:
    gradio.Markdown("x")
demo.launch(server_port={port}, ssr_mode=False)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def served(bare: bool, data: str) -> Iterator[tuple[int, int, float]]:
    """A started program: its process id, its port, and the seconds until its page answered."""
    port = free_port()
    command = ["-c", BARE.format(port=port)] if bare else ["-m", "app", "serve", "--port", str(port)]
    environment = {**os.environ, "STUDIO_DATA_DIR": data, "GRADIO_ANALYTICS_ENABLED": "False"}
    started = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - this program itself
        [sys.executable, *command], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    )
    try:
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
                    answer.read()
                break
            except (urllib.error.URLError, ConnectionError):
                if process.poll() is not None:
                    raise SystemExit("The program ended before its page was served.") from None
                time.sleep(0.02)
        yield process.pid, port, time.perf_counter() - started
    finally:
        process.terminate()
        process.wait(30)


def resident(pid: int) -> float:
    """Resident memory of a process in MB (Linux)."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else float("nan")


def judge_one_of_each(port: int, folder: Path) -> None:
    from gradio_client import Client, handle_file

    client = Client(f"http://127.0.0.1:{port}", verbose=False)
    a, b = media.text_pair()
    client.predict(modality="text", criteria="shorter", response_1_text=a, response_2_text=b, api_name="/judge")
    makers = {
        "image": media.image_pair,
        "audio": lambda f: media.audio_pair(f, ".mp3"),
        "video": media.video_pair,
        "mesh": lambda f: media.mesh_pair(f, ".ply"),
    }
    for modality, make in makers.items():
        first, second = (handle_file(str(path)) for path in make(folder))
        client.predict(
            modality=modality, criteria="cleaner", response_1_file=first, response_2_file=second, api_name="/judge"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    times: dict[bool, list[float]] = {True: [], False: []}
    with tempfile.TemporaryDirectory() as data:
        for number in range(options.rounds + 1):
            for bare in (True, False):
                with served(bare, data) as (_, _, seconds):
                    if number:  # the first of each warms the disk
                        times[bare].append(seconds)
        bare, ours = statistics.median(times[True]), statistics.median(times[False])
        print(f"bare Gradio page   {bare:6.2f} s")  # noqa: T201
        print(f"the studio         {ours:6.2f} s   ratio {ours / bare:.2f}")  # noqa: T201
        with served(False, data) as (pid, port, _):
            time.sleep(2)
            print(f"memory, idle       {resident(pid):6.0f} MB")  # noqa: T201
            with tempfile.TemporaryDirectory() as folder:
                judge_one_of_each(port, Path(folder))
            print(f"memory, after one judged pair of each modality {resident(pid):6.0f} MB")  # noqa: T201


if __name__ == "__main__":
    main()
