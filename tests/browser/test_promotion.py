"""The whole trip of a taste in a browser: votes, a job that learns from them, the gate, the promotion, the judge used.

The annotator is made up and finds blurrier and darker pictures better, which the starter does not.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from app.settings import Settings
from app.studio import JudgeRequest, Received, Studio
from core.nouns import Annotation, Answer, Modality
from core.promotion import HELD_OUT
from storage import answers
from storage.db import transaction
from storage.jobs import JobState
from tests.browser.conftest import Server, open_studio
from tests.browser.test_admin import open_admin
from tests.core.training.annotators import PICTURES, _changed, blurrier_and_darker

pytestmark = pytest.mark.browser
VOTES, CLICKED = 500, 3
SLIPS = 0.05  # share of votes that are cast by mistake
LONG = 300_000  # each job is a process of its own, which has to start first


@dataclass
class Picture:
    path: Path
    worth: float
    received: Received | None = None


class Annotator:
    """Pictures of the examples, each changed in several ways, and what the annotator says of two of them."""

    def __init__(self, folder: Path) -> None:
        self.rng, self.pictures = np.random.default_rng(11), []
        for number, path in enumerate(sorted(PICTURES.glob("*.jpg"))[:11]):
            whole = Image.open(path).convert("RGB")
            whole.thumbnail((96, 96))
            for version in range(12):
                image = _changed(whole, self.rng) if version else whole
                image.save(file := folder / f"{number}-{version}.png")
                self.pictures.append(Picture(file, blurrier_and_darker(np.asarray(image, float))))
        self.spread = float(np.std([picture.worth for picture in self.pictures]))

    def two(self) -> tuple[Picture, Picture]:
        one, other = self.rng.choice(len(self.pictures), size=2, replace=False)
        return self.pictures[one], self.pictures[other]

    def says(self, one: Picture, other: Picture) -> Answer:
        lead = (one.worth - other.worth) / self.spread
        said = Answer.TIE if abs(lead) < 0.15 else Answer.FIRST if lead > 0 else Answer.SECOND
        return said.swapped if self.rng.random() < SLIPS else said

    def vote(self, studio: Studio, name: str, count: int) -> None:
        """By the studio's own trips, as a program would."""
        for _ in range(count):
            one, other = self.two()
            for picture in (one, other):
                picture.received = picture.received or studio.receive(picture.path, Modality.IMAGE)
            assert one.received is not None
            assert other.received is not None
            asked = JudgeRequest(
                modality=Modality.IMAGE,
                first=one.received.content,
                second=other.received.content,
                judge="fixed",
            )
            pair = studio.judge(asked, name).pair.id
            said = Annotation(annotator=name, pair_id=pair, criterion=None, answer=self.says(one, other))
            studio.annotate(said, "fixed")


@pytest.fixture(scope="module")
def studio_of_starter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A program of its own, whose default judge is the starter."""
    settings = Settings(port=0, data_dir=tmp_path_factory.mktemp("promotion"), slots=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        patch.delenv("HF_TOKEN", raising=False)
        from app.main import serve

        _, url, _ = serve(settings, wait=False)
        yield Server(url, Studio(settings))
        import gradio as gr

        gr.close_all()


def show(page: Page, one: Picture, other: Picture) -> None:
    """Put two pictures on the Judge tab."""
    if not page.locator("#pane-1 .drop, #pane-1 .remove").count():
        page.locator("#compare label", has_text="Image").first.click()
    for slot, picture in (("1", one), ("2", other)):
        if page.locator(f"#pane-{slot} .remove").count():
            page.locator(f"#pane-{slot} .remove").click()
        page.wait_for_selector(f"#pane-{slot} .drop")
        page.set_input_files(f"#file-{slot} input[type=file]", picture.path)
        page.wait_for_selector(f"#pane-{slot} figure.media")


def judged(page: Page) -> str:
    """Press Judge; the id of the stored pair."""
    before = page.locator("#result .verdicts").get_attribute("data-pair") if page.locator("[data-pair]").count() else ""
    page.click("#judge-now")
    cards = page.locator(f"#result .verdicts[data-pair]:not([data-pair='{before}'])")
    cards.wait_for()
    page.wait_for_selector("#votes", state="visible")
    return cards.get_attribute("data-pair") or ""


def open_job(page: Page, job_id: str) -> None:
    open_admin(page)
    page.locator(f'#jobs-list .job[data-value="{job_id}"]').click()
    expect(page.locator("#job .headline")).to_be_visible()


def fits(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


# a minute where nothing else runs; this waits for six processes, one after another
@pytest.mark.timeout(900)
def test_votes_become_a_judge_that_is_promoted_and_used(
    context: BrowserContext,
    studio_of_starter: Server,
    tmp_path: Path,
    record_testsuite_property: Callable[[str, object], None],
) -> None:
    studio, annotator, page = studio_of_starter.studio, Annotator(tmp_path), context.new_page()
    open_studio(page, studio_of_starter.url)
    expect(page.locator("#judge-picker input")).to_have_value("Starter")

    # whoever keeps a studio has looked at its bench before
    studio.promotions.runs.start_embedded("starter", "local")

    # a few votes by hand, the others by program under the same name
    began = time.monotonic()
    for _ in range(CLICKED):
        one, other = annotator.two()
        show(page, one, other)
        judged(page)
        page.click(f"#vote-{annotator.says(one, other)}")
        expect(page.locator("#result .own")).to_be_visible()
    with transaction(studio.engine, write=False) as session:
        [name] = {said.annotator for said in answers.answered_pairs(session)}
    annotator.vote(studio, name, VOTES - CLICKED)
    record_testsuite_property("seconds for the votes", round(time.monotonic() - began, 1))

    # a job that learns from them, watched to its end
    open_admin(page)
    page.locator("#new-job").click()
    page.locator("#job-form").get_by_text("Teach the starter by votes").click()
    page.locator("#starter_votes-source").get_by_role("textbox").fill(f"votes:{name}")
    # two versions of an example look like the pair of that picture in the embedded bench
    page.locator("#starter_votes-bench_items input").click()
    page.get_by_role("option", name="leave_out").click()
    page.get_by_role("button", name="Queue it").click()
    expect(page.locator("#job .now")).to_contain_text("Done", timeout=LONG)
    expect(page.locator("#job-plot .js-plotly-plot")).to_be_visible()
    [job] = studio.jobs.newest(kind="starter_votes")
    assert job.state is JobState.DONE
    assert job.started is not None
    assert job.finished is not None
    record_testsuite_property("seconds of learning", round((job.finished - job.started).total_seconds(), 1))
    judge = f"starter:{job.id}"

    # the gate stands before the button
    promote = page.get_by_role("button", name="Promote", exact=True)
    expect(page.locator("#gate")).to_contain_text(judge)
    expect(page.locator("#gate")).to_contain_text("3 runs are missing; one click queues them")
    expect(promote).to_be_disabled()
    expect(page.locator("#push")).to_contain_text("There is no token for the Hub: set HF_TOKEN")
    expect(page.get_by_role("button", name="Push, private")).to_be_disabled()
    began = time.monotonic()
    page.get_by_role("button", name="Run what is missing").click()
    expect(page.locator("#gate")).to_contain_text("is being asked")
    expect(promote).to_be_enabled(timeout=LONG)
    record_testsuite_property("seconds of the gate's runs", round(time.monotonic() - began, 1))
    votes, bench = studio.promotions.gate(job.id).conditions
    for one in (votes, bench):
        record_testsuite_property(one.name, one.says)
        expect(page.locator("#gate")).to_contain_text(one.says)
    assert votes.name == HELD_OUT
    assert votes.test is not None
    assert votes.test.gain.low is not None
    assert votes.test.gain.value >= 0.15
    assert votes.test.gain.low > 0

    # on a phone, in the dark
    page.set_viewport_size({"width": 390, "height": 844})
    page.click("#theme-toggle")
    assert fits(page)
    page.click("#theme-toggle")
    page.set_viewport_size({"width": 1280, "height": 900})

    # promoted, it is what the page opens with
    promote.click()
    expect(page.locator("#gate")).to_contain_text("The default judge; promoted by local on")
    expect(page.get_by_role("button", name="Retire")).to_be_hidden()
    open_studio(page, studio_of_starter.url)
    expect(page.locator("#judge-picker input")).to_have_value(re.compile(f"Taste of {name} "))
    by_worth = sorted(annotator.pictures, key=lambda picture: picture.worth)
    show(page, by_worth[-1], by_worth[0])
    pair = judged(page)
    expect(page.locator("#result .headline")).to_contain_text("A is better")
    [verdict] = studio.load(pair).verdicts
    assert verdict.judge == judge

    # and back again
    open_job(page, job.id)
    page.get_by_role("button", name="Demote").click()
    expect(page.get_by_role("button", name="Retire")).to_be_visible()
    page.get_by_role("button", name="Retire").click()
    expect(page.locator("#gate")).to_contain_text("Retired")
    expect(promote).to_be_hidden()
    open_studio(page, f"{studio_of_starter.url}?pair={pair}")
    expect(page.locator("#judge-picker input")).to_have_value("Starter")
    expect(page.locator("#result .headline")).to_contain_text("A is better")
    open_job(page, job.id)
    page.get_by_role("button", name="Bring back").click()
    expect(promote).to_be_enabled()


def test_two_judges_are_compared_from_the_admin_tab(context: BrowserContext, studio_of_starter: Server) -> None:
    page, [job] = context.new_page(), studio_of_starter.studio.jobs.newest(kind="starter_votes")
    open_studio(page, studio_of_starter.url)
    open_job(page, job.id)
    page.locator("#gate a.link", has_text="starter").click()
    # the page is loaded anew
    expect(page.locator("#bench-below .compared")).to_contain_text(f"starter:{job.id}", timeout=LONG)
    expect(page.get_by_role("tab", name="Benches")).to_have_attribute("aria-selected", "true")


def test_forms_offer_the_judges_that_jobs_made(context: BrowserContext, studio_of_starter: Server) -> None:
    page, [job] = context.new_page(), studio_of_starter.studio.jobs.newest(kind="starter_votes")
    open_studio(page, studio_of_starter.url)
    open_admin(page)
    page.locator("#new-job").click()
    page.locator("#score_dataset-judge input").click()
    expect(page.get_by_role("option", name=f"starter:{job.id}")).to_be_visible()
    page.get_by_role("option", name=f"starter:{job.id}").click()
    expect(page.locator("#score_dataset-judge input")).to_have_value(f"starter:{job.id}")
