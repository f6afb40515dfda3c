"""The viewer as its user meets it: the real pages in a real browser, while real trainings run."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from experiments.comparison.comparison import compare_runs
from rl_lab.run import run_suite
from rl_lab.text.first_screen import verdict_lines
from tests.viewer.conftest import Served, live_spec, viewer_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

Open = Callable[..., "Page"]
STEPS = 40_000_000


def until(page: "Page", condition: str, seconds: float = 20) -> Any:
    """Wait for a condition on the page: polled from here, since the pages allow no evaluation of texts."""
    deadline = time.monotonic() + seconds
    while not (found := page.evaluate(condition)):
        assert time.monotonic() < deadline, condition
        time.sleep(0.05)
    return found


def choose(page: "Page", label: str, value: str) -> None:
    page.get_by_label(label, exact=True).select_option(value)


def shown(page: "Page") -> str:
    return str(page.locator("section.watch .legend").inner_text())


def test_runs_are_found_filtered_grouped_and_chosen(served: Served, open_page: Open) -> None:
    page = open_page(served.address)
    page.get_by_text("Runs: 4 (0 running), selected: 4").wait_for()
    assert "token" not in page.url
    assert page.locator(".group").count() == 2
    page.get_by_role("searchbox", name="Search").fill("sarsa seed-1")
    page.get_by_text("Runs: 1 (0 running), selected: 4").wait_for()
    page.get_by_role("button", name="Select all").click()
    page.get_by_text("Runs: 1 (0 running), selected: 1").wait_for()
    until(page, "viewer.curves.chart.series.length === 1")
    page.get_by_role("searchbox", name="Search").fill('learning_rate":0.5')
    page.get_by_text("Runs: 4 (0 running)").wait_for()
    choose(page, "Group by", "agent")
    assert page.locator(".group-name").all_inner_texts() == ["q_learning", "sarsa"]
    choose(page, "State", "failed")
    page.get_by_text("Runs: 0 (0 running)").wait_for()
    address = page.url  # the whole state
    other = open_page(served.address)
    other.goto(address)
    other.get_by_text("Runs: 0 (0 running), selected: 1").wait_for()
    assert other.get_by_label("Group by").input_value() == "agent"


def test_a_run_is_hidden_and_shown_again(served: Served, open_page: Open) -> None:
    page = open_page(served.address)
    page.get_by_role("button", name="Open or close train / maze / sarsa").click()
    page.get_by_role("button", name="Hide sarsa, 1").click()
    page.get_by_text("Runs: 3 (0 running), selected: 3").wait_for()
    page.get_by_text("Settings").first.click()
    assert "learning_rate = 0.5" in page.locator("aside pre").first.inner_text()
    page.get_by_role("button", name="Show hidden").click()
    page.get_by_text("Runs: 4 (0 running)").wait_for()


def test_curves_are_seen_zoomed_and_exported(served: Served, open_page: Open) -> None:
    page = open_page(served.address)
    until(page, "viewer.curves.chart.series.length === 2")
    chart = "viewer.curves.chart"
    assert page.evaluate(f"{chart}.levels.map(level => level.name)") == ["exact optimum", "random policy"]
    label = page.locator("canvas.chart").get_attribute("aria-label") or ""
    assert re.search(r"mean return, env steps\. q_learning: from .* at 0 to −10 at 4,000", label)
    choose(page, "Which curve", "training")
    choose(page, "Horizontal axis", "episodes")
    choose(page, "Smoothing", "20")
    until(page, f"{chart}.labels.x === 'episodes' && {chart}.series[0].x.length > 0")
    box = page.locator("canvas.chart").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 200, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 400, box["y"] + 100, steps=4)
    page.mouse.up()
    low, high = until(page, f"{chart}.zoom")
    assert 0 < low < high
    assert "low=" in page.url
    until(page, f"Math.max(...{chart}.series[0].x) < {high} * 1.2")
    page.get_by_role("button", name="Whole axis").click()
    until(page, f"{chart}.zoom === null")
    page.locator("canvas.chart").focus()
    for key in ("ArrowRight", "ArrowRight", "+"):
        page.keyboard.press(key)
    until(page, f"{chart}.zoom !== null")
    page.keyboard.press("0")
    choose(page, "Scale", "log_x")
    page.get_by_text("As a table").click()
    assert page.locator(".chart-table tbody tr").count() == 10
    for kind, begin in (("PNG", b"\x89PNG"), ("SVG", b"<?xml")):
        with page.expect_download() as told:
            page.get_by_role("button", name=f"Export as {kind}").click()
        assert Path(told.value.path()).read_bytes().startswith(begin)
    page.get_by_role("button", name="Select none").click()
    page.get_by_role("button", name="Open or close train / maze / q_learning").click()
    page.get_by_label("q_learning seed 0").check()
    with page.expect_download() as told:
        page.get_by_role("link", name="CSV, raw rows").click()
    raw = Path(told.value.path()).read_bytes()
    assert raw == (served.folder / "train/maze/q_learning/seed-0/episodes.csv").read_bytes()


def test_a_click_on_a_curve_plays_that_moment(served: Served, open_page: Open) -> None:
    page = open_page(served.address)
    until(page, "viewer.curves.chart.series.length === 2")
    x, y = page.evaluate("(c => [c.px(2000), c.py(c.series[0].faint[0].y[4])])(viewer.curves.chart)")
    box = page.locator("canvas.chart").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + x, box["y"] + y)
    page.locator("section.watch canvas").first.wait_for()
    until(page, "!!viewer.watch.player.recording")
    assert "at=2000" in page.url
    page.get_by_role("button", name="Next seed").click()
    until(page, "viewer.watch.player.recording.tracks[0].moments[0].episodes[0].seed !== 336614357")
    assert "number=1" in page.url
    episodes = page.evaluate("viewer.watch.episodes")
    slider = page.locator("section.watch .training input")
    assert slider.get_attribute("max") == str(episodes)
    slider.fill("7")  # any episode of the training
    until(page, "viewer.watch.player.recording.episodes[0] === 7")
    rows = (served.folder / "train/maze/q_learning/seed-0/episodes.csv").read_text().splitlines()
    step = int(rows[7].split(",")[1])
    until(page, f"viewer.watch.player.recording.tracks[0].moments[0].env_step === {step}")
    assert f"after {step:,} env steps" in shown(page)
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("viewer.watch.player.step") == page.evaluate("viewer.watch.player.length - 1")
    assert page.locator("section.watch .bar").count() == 4
    page.go_back()
    until(page, "!location.search.includes('episode')")


def test_a_race_is_run_in_step(served: Served, open_page: Open) -> None:
    page = open_page(served.address, reduced_motion="reduce")
    page.get_by_text("Runs: 4 (0 running), selected: 4").wait_for()
    page.get_by_role("link", name="Watch").click()
    page.get_by_role("button", name=re.compile("^Race the selected")).click()
    until(page, "viewer.watch.player.tracks && viewer.watch.player.tracks.length === 5")  # and the optimum
    assert page.locator("section.watch .stage canvas").count() == 1
    page.get_by_label("Tool").select_option("wall")
    maze = "viewer.watch.player.scenes[0].maze"
    x, y = page.evaluate(
        "(p => { const m = p.scenes[0].maze; const box = document.querySelector("
        "'section.watch .stage canvas').getBoundingClientRect(); const cell = Math.min((box.width - 8) / 6,"
        " (box.height - 8) / 6); const open = [1, 2].find(d => m.isOpen(0, d)); const [a, b] = open === 1 ?"
        " [0.95, 0.5] : [0.5, 0.95]; return [box.left + (box.width - cell * 6) / 2 + a * cell,"
        " box.top + (box.height - cell * 6) / 2 + b * cell]; })(viewer.watch.player)"
    )
    page.mouse.click(x, y)
    assert page.evaluate(f"{maze}.walls.size") == 2
    assert "no way out" in page.locator("section.watch .said").last.inner_text()


def test_a_comparison_is_the_reports(served: Served, open_page: Open) -> None:
    page = open_page(served.address)
    page.get_by_text("selected: 4").wait_for()
    page.get_by_role("link", name="Compare").click()
    page.locator(".verdicts li").first.wait_for()
    expected = list(verdict_lines(compare_runs([served.folder])))
    assert page.locator(".verdicts li").all_inner_texts() == expected
    assert page.locator(".env-table tbody tr").count() == 2
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")


def test_what_is_undecided_goes_on_until_it_is_decided(tmp_path: Path, open_page: Open) -> None:
    text = (
        'name = "two"\nseeds = 2\nsteps = 200\nevaluation = { episodes = 1, final_episodes = 2 }\n'
        'envs = [{ id = "RLLab/Maze-v0", name = "m", rows = 3, cols = 3 }]\n'
        'agents = [{ id = "random", name = "random" }, { id = "value_iteration", name = "plan" }]\n'
    )
    (tmp_path / "two.toml").write_text(text)
    run_suite(str(tmp_path / "two.toml"), out=tmp_path / "runs", jobs=1, progress=False)
    with viewer_of(tmp_path / "runs") as viewer:
        page = open_page(viewer.address)
        page.get_by_text("selected: 4").wait_for()
        page.get_by_role("link", name="Compare").click()
        page.get_by_text("undecided at 2 seeds (1 pairs): go on until decided").click()
        page.get_by_text("two has started").wait_for()
        runs = tmp_path / "runs" / "two" / "m" / "plan"
        deadline = time.monotonic() + 60
        while not (runs / "seed-3" / "run.json").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert '"batch": 2' in (runs / "seed-3" / "run.json").read_text()
        wrongs: list[dict[str, Any]] = [{"experiment": "../two"}, {"experiment": "none"}]
        for wrong in (*wrongs, {"experiment": "two", "batch": 3, "max_seeds": 2}):
            assert viewer.ask("/api/start", "POST", wrong)[0] == 400
        page.close()


def test_a_training_is_started_watched_live_and_stopped(tmp_path: Path, open_page: Open) -> None:
    (tmp_path / "live.toml").write_text(live_spec("live", STEPS))
    (tmp_path / "runs").mkdir()
    with viewer_of(tmp_path / "runs") as viewer:
        page = open_page(viewer.address)
        page.get_by_text("There are no runs in").wait_for()
        page.get_by_role("link", name="Start").click()
        page.get_by_role("button", name="Start live.toml").click()
        page.get_by_text("Runs: 1 (1 running), selected: 1").wait_for()
        page.get_by_role("link", name="Curves").click()
        points = until(page, "viewer.curves.chart.series[0]?.faint[0]?.x.length")
        until(page, f"viewer.curves.chart.series[0].faint[0].x.length > {points}")
        page.get_by_text("Settings").click()
        page.get_by_role("button", name="Watch q, 0").focus()
        share = page.locator("aside progress").last.get_attribute("value")
        until(page, f"document.querySelector('aside li progress').value > {share}")  # the list is live too
        assert page.locator("aside details[open]").count() == 1
        page.keyboard.press("Enter")  # and what is focused stays so
        until(page, "!!viewer.watch.player.recording")
        steps = "viewer.watch.player.recording.tracks[0].moments[0].env_step"
        first = page.evaluate(steps)
        until(page, f"{steps} > {first}")  # its newest snapshot, again and again
        page.get_by_role("link", name="Start").click()
        page.get_by_role("button", name="Stop live.toml").click()
        page.get_by_text("Runs: 1 (0 running)").wait_for()
        page.get_by_role("button", name="Start live.toml again").wait_for()
        page.get_by_role("button", name="Delete the selected runs").click()
        page.get_by_role("button", name="Move to trash").click()
        page.get_by_text("Runs: 0 (0 running)").wait_for()
        page.close()


@pytest.mark.parametrize(
    ("scheme", "width", "locale"), [("light", 1200, "en-GB"), ("dark", 360, "fr-FR"), ("dark", 3840, "en-GB")]
)
def test_everybody_can_use_it(served: Served, open_page: Open, scheme: str, width: int, locale: str) -> None:
    import axe_core_python

    source = (Path(axe_core_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    page = open_page(served.address, viewport={"width": width, "height": 900}, color_scheme=scheme, locale=locale)
    until(page, "viewer.curves && viewer.curves.chart.series.length === 2")
    assert page.evaluate("document.documentElement.lang") == locale[:2]
    page.evaluate(source)
    for view in range(4):
        page.locator("nav a").nth(view).click()
        if view == 1:
            until(page, "!!viewer.watch.player.recording")
        if view == 2:
            page.locator(".verdicts li").first.wait_for()
        if view == 3:
            page.locator(".offers li").first.wait_for()
        found = page.evaluate("axe.run().then(result => result.violations)")
        serious = [
            f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found if one["impact"] in ("serious", "critical")
        ]
        assert serious == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_viewer_that_has_ended_is_named_and_found_again(runs: Path, open_page: Open) -> None:
    with viewer_of(runs) as viewer:
        page = open_page(viewer.address, forgiven="ERR_CONNECTION_REFUSED")
        page.get_by_text("live", exact=True).wait_for()
    page.get_by_text("not connected").wait_for()
    page.close()


def test_a_new_point_is_seen_within_two_seconds(own_runs: Path, open_page: Open) -> None:
    log = own_runs / "train/maze/q_learning/seed-0/evaluations.csv"
    with viewer_of(own_runs) as viewer:
        page = open_page(viewer.address)
        page.get_by_text("live", exact=True).wait_for()
        until(page, "viewer.curves.chart.series.length === 2")
        rows = [line for line in log.read_text().splitlines() if line.startswith("4000,curve,fresh")]
        written = time.monotonic()
        with log.open("a") as file:
            file.writelines(row.replace("4000,", "4500,", 1) + "\n" for row in rows)
        until(page, "viewer.curves.chart.series[0].x.includes(4500)")
        assert time.monotonic() - written < 2.0
        page.close()


def test_names_are_text(own_runs: Path, open_page: Open) -> None:
    """What a folder is called, and what is wrong in it, is shown as it is: no name becomes a part of the page."""
    hostile = '<img src=x onerror="window.caught = 1"><script>window.caught = 1<\u2215script>'
    (own_runs / hostile / "e" / hostile / "seed-0").mkdir(parents=True)
    (own_runs / hostile / "e" / hostile / "seed-0" / "run.json").write_text('{"format": "<b>bold</b>"}')
    with viewer_of(own_runs) as viewer:
        page = open_page(viewer.address)
        page.get_by_text("Runs: 5 (0 running)").wait_for()
        page.get_by_role("button", name=re.compile("^Open or close <img")).click()
        assert hostile in page.locator("aside").inner_text()
        assert page.locator("aside img, aside b").count() == 0
        assert page.evaluate("window.caught") is None
        page.close()
