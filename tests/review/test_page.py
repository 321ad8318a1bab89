"""A review from the first click to the saved file, in Chromium; what is saved is read by what comes next."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.browser import CHROMEDRIVER, CHROMIUM, browser
from tests.fakes import folder_of
from tests.project import Project
from tests.reports.test_review import page
from xmodal_kedro.review.answers import read_answers

pytestmark = pytest.mark.skipif(
    CHROMIUM is None or CHROMEDRIVER is None, reason="there is no Chromium with its driver on this machine"
)
HOSTILE = '<script>document.title="run"</script>'
SOME = [("clip-0", "Dog"), ("clip-0", "Rain"), ("clip-1", "Dog"), ("clip-2", HOSTILE)]


class Review:
    """A page of questions in a browser."""

    def __init__(self, driver: Any, downloads: Path) -> None:
        self.driver = driver
        self.downloads = downloads

    def key(self, text: str) -> None:
        """Press a key that goes to no field."""
        self.driver.execute_script("document.activeElement.blur()")
        self.driver.find_element("tag name", "body").send_keys(text)

    def click(self, id_: str) -> None:
        self.driver.find_element("id", id_).click()

    def text(self, id_: str) -> str:
        return str(self.driver.find_element("id", id_).text)

    def type(self, id_: str, text: str) -> None:
        self.driver.find_element("id", id_).send_keys(text)

    def shown(self) -> list[tuple[str, str]]:
        """The questions of the card: class and answer."""
        rows = self.driver.find_elements("css selector", "#questions button")
        return [tuple(row.find_element("class name", part).text for part in ("name", "answer")) for row in rows]

    def current(self) -> str:
        return str(self.driver.find_element("css selector", "#questions [aria-current=true] .name").text)

    def choose(self, name: str) -> None:
        """Filter by a class."""
        option = f"[...document.querySelectorAll('#filter option')].find(one => one.value === {name!r})"
        self.driver.execute_script(f"{option}.selected = true; filter.dispatchEvent(new Event('change'))")

    def saved(self) -> Path:
        """The file that a click on Save gives."""
        before = set(self.downloads.glob("*.csv"))
        self.click("save")
        return wait(lambda: next(iter(set(self.downloads.glob("*.csv")) - before), None))

    def errors(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]


def wait(found: Callable[[], Any], seconds: float = 20) -> Any:
    """What is found, once there is something."""
    end = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)
    return result


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A browser for the tests that need no profile of their own, as starting one takes longer than a test."""
    folder = tmp_path_factory.mktemp("browser")
    with browser(folder / "profile", folder / "downloads") as driver:
        yield driver


@pytest.fixture
def review(driver: Any, tmp_path: Path) -> Review:
    """A page of three clips and four questions, one of a hostile class, in a browser that knows nothing of others."""
    file, downloads = tmp_path / "review.html", tmp_path / "downloads"
    file.write_text(page(*SOME))
    downloads.mkdir()
    driver.get(file.as_uri())
    driver.execute_script("localStorage.clear()")
    driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(downloads)})
    driver.get_log("browser")  # what is logged by now is not of this test
    driver.refresh()
    return Review(driver, downloads)


def test_keys_answer_one_question_after_the_other(review: Review) -> None:
    assert review.text("progress") == "0 of 4 answered"
    assert review.current() == "Dog"
    review.key("y")
    assert review.shown() == [("Dog", "right"), ("Rain", "")]
    assert review.current() == "Rain"
    review.key("n")
    assert review.shown() == [("Dog", "")]
    review.key("u")
    assert review.shown() == [(HOSTILE, "")]
    review.key("y")
    assert review.text("progress") == "4 of 4 answered"
    assert "Every question is answered" in review.text("done")
    assert review.driver.title == "Review of labels"
    assert review.errors() == []


def test_undo_takes_back_the_last_answer_and_shows_its_question(review: Review) -> None:
    review.key("y")
    review.key("y")
    review.key("n")
    review.key("z")
    assert review.shown() == [("Dog", "")]
    review.click("undo")
    assert (review.shown(), review.current()) == ([("Dog", "right"), ("Rain", "")], "Rain")
    assert review.text("progress") == "1 of 4 answered"
    review.key("z")
    assert not review.driver.find_element("id", "undo").is_enabled()
    assert review.text("progress") == "0 of 4 answered"


def test_an_answer_can_be_changed_by_going_back(review: Review) -> None:
    review.key("y")
    review.key("y")
    review.click("back")
    review.driver.find_element("css selector", "#questions li:first-child button").click()
    review.click("wrong")
    assert review.text("progress") == "2 of 4 answered"
    review.type("reviewer", "Anna")
    answers = read_answers(folder_of(review.saved().parent))
    assert answers[["name", "answer"]].to_numpy().tolist() == [["Dog", "wrong"], ["Rain", "right"]]


def test_nothing_is_lost_by_a_reload(review: Review) -> None:
    review.type("reviewer", "Anna")
    review.key("y")
    review.key("n")
    review.driver.refresh()
    assert review.text("progress") == "2 of 4 answered"
    assert review.shown() == [("Dog", "")]
    assert review.driver.find_element("id", "reviewer").get_attribute("value") == "Anna"
    review.key("z")
    assert review.shown() == [("Dog", "right"), ("Rain", "")]


def test_a_filter_shows_the_questions_of_one_class(review: Review) -> None:
    review.choose("Dog")
    review.key("y")
    assert review.shown() == [("Dog", "")]
    review.key("n")
    assert "about this class" in review.text("done")
    review.choose("Rain")
    assert (review.shown(), review.current()) == ([("Dog", "right"), ("Rain", "")], "Rain")
    review.choose("")
    assert review.text("progress") == "2 of 4 answered"


def test_keys_in_a_field_are_text(review: Review) -> None:
    review.type("reviewer", "yn u")
    review.key("a")
    review.type("also-name", "uny")
    assert review.text("progress") == "0 of 4 answered"
    assert review.driver.find_element("id", "also-name").get_attribute("value") == "uny"
    review.driver.find_element("id", "also-name").send_keys("\ue00c")  # escape
    assert not review.driver.find_element("id", "also-form").is_displayed()


def test_what_is_heard_too_is_saved_under_its_name_and_a_formula_does_no_harm(review: Review) -> None:
    review.type("reviewer", '=cmd|"x"')
    review.click("also")
    for name in ("rain", "=1+1", '@sum, "x"', "'-5", "\u00c9cho"):
        review.type("also-name", f"{name}\n")
    assert "=1+1" in review.text("heard-too")
    assert review.shown() == [("Dog", ""), ("Rain", "right")]
    saved = review.saved()
    assert not any(
        cell.lstrip('"')[:1] in "=+-@" for line in saved.read_text().splitlines() for cell in line.split(",")
    )
    answers = read_answers(folder_of(saved.parent))
    assert set(answers["reviewer"]) == {'=cmd|"x"'}
    assert answers[["name", "answer"]].to_numpy().tolist() == [
        *(["Rain", "right"], ["=1+1", "also"], ['@sum, "x"', "also"], ["'-5", "also"], ["\u00c9cho", "also"])
    ]


def test_answers_are_not_saved_without_a_name(review: Review) -> None:
    review.key("y")
    review.click("save")
    assert "Write your name first" in review.text("notice")
    assert not list(review.downloads.glob("*.csv"))


def test_the_sound_plays_at_once_and_again(review: Review) -> None:
    sound = "const sound = document.getElementById('sound'); return [sound.currentTime, sound.duration]"
    wait(lambda: review.driver.execute_script(sound)[0] > 0.2)
    assert review.driver.execute_script(sound)[1] == pytest.approx(1, abs=0.05)
    review.key("p")
    wait(lambda: 0 < review.driver.execute_script(sound)[0] < 1)
    assert review.errors() == []


def test_seconds_are_those_that_an_answer_took(review: Review) -> None:
    time.sleep(1.2)
    review.key("y")
    review.key("n")
    review.type("reviewer", "Anna")
    seconds = read_answers(folder_of(review.saved().parent))["seconds"].tolist()
    assert 1.2 <= seconds[0] < 10 and seconds[1] < seconds[0]


def test_every_control_has_a_name_and_progress_is_announced(review: Review) -> None:
    unnamed = review.driver.execute_script(
        "return [...document.querySelectorAll('input, select, button, audio, progress')]"
        ".filter(one => !(one.labels?.length || one.textContent.trim() || one.ariaLabel)).map(one => one.outerHTML)"
    )
    assert unnamed == []
    assert review.driver.find_element("id", "progress").get_attribute("aria-live") == "polite"


def test_a_phone_is_wide_enough(tmp_path: Path) -> None:
    file = tmp_path / "review.html"
    file.write_text(page(*SOME, ("clip-2", "A very long name of a class, of those that ontologies have" * 2)))
    with browser(tmp_path / "profile", tmp_path / "downloads", 390, phone=True) as driver:
        driver.get(file.as_uri())
        review = Review(driver, tmp_path / "downloads")
        for step in ("right", "wrong", "unsure"):
            review.click(step)
            assert driver.execute_script("return [innerWidth, document.documentElement.scrollWidth]") == [390, 390]
        review.click("also")
        low = "return [...document.querySelectorAll('nav button')].filter(one => one.offsetHeight < 44).length"
        assert driver.execute_script(low) == 0
        assert driver.execute_script("return document.documentElement.scrollWidth") == 390
        assert review.errors() == []


def test_a_page_without_questions_says_so(tmp_path: Path) -> None:
    file = tmp_path / "review.html"
    file.write_text(page())
    with browser(tmp_path / "profile", tmp_path / "downloads") as driver:
        driver.get(file.as_uri())
        review = Review(driver, tmp_path / "downloads")
        review.key("y")
        assert "nothing to ask" in review.text("done")
        assert review.errors() == []


@pytest.fixture(scope="module")
def world(small_run: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the small world, which other tests of this process look at too, with a page of 14 clips."""
    project = Project.of(tmp_path_factory.mktemp("reviewed") / "project")
    shutil.copytree(small_run.folder, project.folder)
    project.set_parameters("review", {"budget": 14})
    done = project.track_nothing().run("kedro", "run", "--env", "sample", "--pipelines=review")
    assert done.returncode == 0, done.stderr
    return project


def test_a_whole_review_of_the_sample_world(world: Project, tmp_path: Path) -> None:
    folder = world.folder / "data/sample"
    asked = pd.read_parquet(folder / "05_model_input/review/questions.parquet")
    answers = world.folder / "data/sample/01_raw/answers"
    with browser(tmp_path / "profile", tmp_path / "downloads") as driver:
        driver.get((folder / "08_reporting/review.html").as_uri())
        review = Review(driver, tmp_path / "downloads")
        review.type("reviewer", "Anna")
        given = []
        for number, name in enumerate(asked["name"]):
            assert review.current() == name
            answer = ("right", "wrong", "unsure")[number % 3]
            given.append(answer)
            if number % 2:
                review.click(answer)
            else:
                review.key({"right": "y", "wrong": "n", "unsure": "u"}[answer])
            if number == len(asked) // 2:
                driver.refresh()
        assert review.text("progress") == f"{len(asked)} of {len(asked)} answered"
        saved = review.saved()
        assert review.errors() == []
    answers.mkdir()
    saved.rename(answers / saved.name)
    read = read_answers(folder_of(answers))
    assert read[["clip_id", "name"]].to_numpy().tolist() == asked[["clip_id", "name"]].to_numpy().tolist()
    assert read["answer"].tolist() == given
    assert set(read["reviewer"]) == {"Anna"}
    done = world.run("kedro", "run", "--env", "sample", "--pipelines=review_results")
    assert done.returncode == 0, done.stderr
    reviewed = pd.read_parquet(folder / "05_model_input/review/reviewed_clips.parquet")
    assert sorted(reviewed["answer"]) == sorted(given)
    assert "Traceback" not in done.stderr and (folder / "08_reporting/review_results.html").exists()
