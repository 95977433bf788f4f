"""Many people in one studio: they share a slow judge's calls, see how many are before them, and may leave."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path

import pytest

from app.backends import gathered, judge_residency
from app.settings import Settings
from app.studio import Judged, JudgeRequest, Listen, Studio
from app.tabs import _verdict_view as view
from app.tabs._judge_trips import News, _told_while
from core.aloud import Written
from core.errors import JobCancelled, JudgeFailed, NotFound
from core.evidence import Measuring
from core.gathering import Gathered
from core.judges import JUDGES
from core.models.served import EndpointSpec
from core.nouns import Content, Modality, PreferencePair, Question, Response, Task
from core.residency import Residency
from core.seats import Report, Stage
from tests.core.asking import WAIT, RecordingJudge, WritingJudge, until


class SlowLoader:
    """The recording judge as the studio's own, for a judge that no shelf has."""

    def __init__(self, judge: RecordingJudge, settings: Settings) -> None:
        self.judge, self.settings = judge, settings

    def size(self) -> int:
        return 0

    def load(self, report: Report) -> Gathered:
        report(0.5, "Reading the weights")
        return gathered(self.judge, self.settings)

    def unload(self, judge: Gathered) -> None:
        judge.close()


@pytest.fixture
def slow() -> RecordingJudge:
    return RecordingJudge(hold=True)


@pytest.fixture
def studio(tmp_path: Path, slow: RecordingJudge) -> Iterator[Studio]:
    studio = Studio(Settings(data_dir=tmp_path / "data", judge="slow", batch_size=8))
    studio.residency = Residency(None, {"slow": SlowLoader(slow, studio.settings)})
    yield studio
    slow.go.set()
    studio.residency.close()
    studio.engine.dispose()


def request(number: int, *criteria: str, judge: str = "") -> JudgeRequest:
    first, second = Content.of_text(f"Rain {number}."), Content.of_text(f"Rain falls {number} times.")
    return JudgeRequest(modality=Modality.TEXT, first=first, second=second, criteria=criteria, judge=judge)


def test_twenty_people_are_judged_in_few_calls_and_told_how_many_are_before_them(
    studio: Studio, slow: RecordingJudge
) -> None:
    told: list[list[str]] = [[] for _ in range(20)]

    def one(number: int) -> Judged:
        return studio.judge(
            request(number, "Shorter.", "Clearer."), f"person {number}", lambda share, text: told[number].append(text)
        )

    with ThreadPoolExecutor(20) as people:
        answers = [people.submit(one, number) for number in range(20)]
        # a call of eight questions serves eight people at most, and twelve see that they have to wait
        until(lambda: sum(any("before yours" in text for text in texts) for texts in told) >= 12)
        slow.go.set()
        judged = [answer.result(WAIT) for answer in answers]
    assert [one.pair.first.content.text for one in judged] == [f"Rain {number}." for number in range(20)]
    assert {tuple(verdict.criterion for verdict in one.verdicts) for one in judged} == {("Shorter.", "Clearer.")}
    assert all(len(studio.history(f"person {number}")) == 1 for number in range(20))
    assert sum(map(len, slow.calls)) == 40
    assert len(slow.calls) < 20
    assert all(texts[-1] == "Saving" for texts in told)


def test_who_closes_the_page_is_not_judged_and_nothing_is_stored(studio: Studio, slow: RecordingJudge) -> None:
    with ThreadPoolExecutor(2) as people:
        first = people.submit(studio.judge, request(1), "first")
        slow.begun()
        page = _told_while(lambda *told: studio.judge(request(2), "leaver", *told))
        assert isinstance(next(page), News)
        with studio.residency.lease("slow") as judge:
            until(lambda: len(judge._line) == 1)
            page.close()
            until(lambda: len(judge._line) == 0)
        slow.go.set()
        assert first.result(WAIT).verdicts[0].preference is not None
    assert studio.history("leaver") == []
    assert slow.calls == [[""]]


def test_who_closes_the_page_while_being_judged_finds_the_pair_in_the_history(
    studio: Studio, slow: RecordingJudge
) -> None:
    page = _told_while(lambda *told: studio.judge(request(1), "leaver", *told))
    next(page)
    slow.begun()
    page.close()
    slow.go.set()
    until(lambda: len(studio.history("leaver")) == 1)


def test_the_page_is_told_the_newest_only_and_what_goes_wrong_at_last() -> None:
    said = threading.Event()

    def work(report: Report, listen: Listen) -> Judged:
        report(0.1, "first")
        assert said.wait(WAIT)
        for text in ("second", "third"):
            report(0.2, text)
        raise JudgeFailed("It broke.")

    page = _told_while(work)
    assert next(page) == News(text="first")
    said.set()
    with pytest.raises(JudgeFailed, match="It broke"):
        assert [*page][-1] in (News(text="second"), News(text="third"))


def test_a_loading_judge_says_how_far_it_is(studio: Studio, slow: RecordingJudge) -> None:
    slow.go.set()
    told: list[str] = []
    loading = threading.Event()
    loader = studio.residency.loaders["slow"]
    load = loader.load

    def held(report: Report) -> Gathered:
        judge = load(report)
        assert loading.wait(WAIT)
        return judge

    loader.load = held  # type: ignore[method-assign]

    def report(share: float, text: str) -> None:
        told.append(text)
        if "50%" in text:
            loading.set()

    studio.judge(request(1), "me", report)
    assert "Reading the weights, 50%" in told


def test_a_judge_warmed_while_typing_is_loaded_once(studio: Studio, slow: RecordingJudge) -> None:
    slow.go.set()
    studio.warm()
    studio.warm("nobody")
    until(lambda: studio.residency.state("slow").stage is Stage.READY)
    with studio.residency.lease("slow") as before:
        studio.judge(request(1), "me")
    with studio.residency.lease("slow") as after:
        assert before is after


def test_the_settings_say_how_a_judge_is_asked() -> None:
    settings = Settings(
        batch_size=5, batch_deadline_ms=12.0, endpoint=EndpointSpec(base_url="http://x/v1", model="m", concurrency=3)
    )
    fixed = gathered(JUDGES["fixed"].load(), settings)
    assert (fixed.batch, fixed.deadline, fixed.workers) == (5, 0.012, 1)
    with judge_residency(settings).lease("endpoint") as endpoint:
        assert (endpoint.batch, endpoint.workers) == (1, 3)
        endpoint.close()
    assert judge_residency(settings).budget is None


def test_a_judge_beyond_the_memory_that_is_set_is_refused_with_a_sentence(tmp_path: Path) -> None:
    studio = Studio(Settings(data_dir=tmp_path / "data", judge_memory_gb=0.01))
    with pytest.raises(JudgeFailed, match=r"'starter' needs 0\.0\d+ GB of memory, more than the 0\.01 GB"):
        studio.judge(request(1, judge="starter"), "me")
    with pytest.raises(NotFound, match="nobody"):
        studio.judge(request(1, judge="nobody"), "me")
    assert studio.judge(request(1, judge="fixed"), "me").verdicts[0].preference is not None
    studio.engine.dispose()


def test_the_starter_says_the_same_to_many_as_to_one() -> None:
    texts = ("Rain falls.", "Rain is liquid water that falls from the clouds above, now and then.", "rain!!! RAIN")
    asked = [
        Question(
            pair=PreferencePair(
                task=Task.T2T,
                prompt="Describe rain.",
                first=Response(content=Content.of_text(first)),
                second=Response(content=Content.of_text(second)),
            ),
            criterion=criterion,
        )
        for first in texts
        for second in texts
        for criterion in (None, "Prefer the shorter one.")
        if first != second
    ]
    measure = Measuring()
    with judge_residency(Settings(batch_size=4)).lease("starter") as judge:
        alone = [judge.inner.judge([question], measure)[0] for question in asked]
        with ThreadPoolExecutor(len(asked)) as people:
            together = list(people.map(lambda question: judge.judge([question], measure)[0], asked))
        judge.close()
    assert [verdict.preference for verdict in together] == [verdict.preference for verdict in alone]
    for one, other in zip(alone, together, strict=True):
        assert (other.reward_1, other.reward_2) == pytest.approx((one.reward_1, one.reward_2), abs=1e-3)


# -- heard while it writes --------------------------------------------------------------------------------------------


@pytest.fixture
def writer(studio: Studio) -> WritingJudge:
    judge = WritingJudge()
    studio.residency = Residency(None, {"slow": SlowLoader(judge, studio.settings)})
    return judge


def test_the_page_hears_the_judge_write_and_then_has_its_verdict(studio: Studio, writer: WritingJudge) -> None:
    page = _told_while(lambda *told: studio.judge(request(1, "Shorter.", "Clearer."), "me", *told))
    seen: list[News] = []
    writer.more()
    for news in page:
        if isinstance(news, Judged):
            break
        seen.append(news)
        if news.written:
            writer.more()
    texts = [[(one.number, one.swapped, one.text.split()[1:]) for one in news.written] for news in seen if news.written]
    orders = [(0, False), (0, True), (1, False), (1, True)]
    assert [text[:2] for text in texts[-1]] == orders
    assert all(words == ["one", "two", "three"][: len(words)] for text in texts for *_, words in text)
    assert texts[0][0][2] == ["one"]
    assert any(news.stops for news in seen)
    assert news.verdicts[0].rationale == news.verdicts[1].rationale == ""
    assert len(studio.history("me")) == 1


@pytest.mark.parametrize("presses", [True, False])
def test_who_cancels_or_leaves_stops_the_judge_and_nothing_is_stored(
    studio: Studio, writer: WritingJudge, presses: bool
) -> None:
    left = threading.Event()
    page = _told_while(lambda *told: studio.judge(request(1), "me", *told), left)
    writer.more()
    assert next(news for news in page if isinstance(news, News) and news.written).stops
    if presses:
        left.set()
        with pytest.raises(JobCancelled):
            list(page)
    else:
        page.close()
    with studio.residency.lease("slow") as judge:
        until(lambda: judge._open == 0)
    writer.more()
    until(lambda: writer.stopped)
    assert studio.history("me") == []


def test_two_people_hear_their_own(studio: Studio, writer: WritingJudge) -> None:
    heard: dict[str, set[str]] = {"ada": set(), "grace": set()}

    def one(name: str) -> Judged:
        def listen(written: tuple[Written, ...]) -> None:
            heard[name].update(one.text for one in written)

        return studio.judge(request(1, f"As {name} wants."), name, listen=listen)

    writer.more(100)
    with ThreadPoolExecutor(2) as people:
        answers = [people.submit(one, name) for name in heard]
        judged = [answer.result(WAIT) for answer in answers]
    assert [one.verdicts[0].criterion for one in judged] == ["As ada wants.", "As grace wants."]
    for texts in heard.values():
        assert {text.split()[0] for text in texts} == {"A", "B"}


def test_what_is_written_is_shown_as_plain_text_in_its_order() -> None:
    hostile = '<img src=x onerror=alert(1)> **bold** <script>x</script> "quoted"'
    written = [Written(number=1, swapped=swapped, text=hostile) for swapped in (False, True)]
    html = view.judging(["Shorter.", "<b>Clearer.</b>"], "Judging", written, cancel="k")
    assert escape(hostile) in html
    assert not any(tag in html for tag in ("<img", "<script", "<b>", "<strong>"))
    assert html.index("With A first") < html.index("With B first")
    assert html.count("verdict waiting") == 1, "nothing of the first criterion yet"
    assert 'data-pick="cancel" data-value="k"' in html
    assert "Cancel" not in view.judging([None], "Judging")
