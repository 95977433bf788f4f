"""The real program on a free port with a data folder of its own, and a real Chromium to use it with."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from app.settings import Settings
from app.studio import Studio

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]


@dataclass
class Server:
    url: str
    studio: Studio  # a second studio over the same data, to look at what was stored


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("studio")
    settings = Settings(port=0, data_dir=folder, judge="fixed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        from app.main import serve

        _, url, _ = serve(settings, wait=False)
        yield Server(url, Studio(settings))
        import gradio as gr

        gr.close_all()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        # without a system Chromium, Playwright's own is used where it is installed
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(20_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, server: Server) -> Page:
    page = context.new_page()
    open_studio(page, server.url)
    return page


def open_studio(page: Page, url: str) -> None:
    page.goto(url)
    # the name of the guest is the last thing that loading the page brings
    page.wait_for_selector("#person span")


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """Two small good files of every modality, made here; the first is the larger file."""
    from tests.browser.material import make_media

    return make_media(tmp_path_factory.mktemp("media"))
