"""Episodes as data: what a recording tells is what happened, and the page that plays it is small and safe."""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from agents.planning.oracle import Oracle
from experiments.evaluation.rollout import rollout
from experiments.recording.packing import packed_hundredths, packed_levels, packed_values
from experiments.recording.recording import FORMAT, VERSION
from experiments.recording.scenes import greedy_text
from experiments.runs.open_run import open_run
from rl_lab import train, watch
from rl_lab.show.recorded_page import record
from rl_lab.web.page import standalone_page
from rl_lab.web.words import words
from tests.conftest import Command

if TYPE_CHECKING:
    from playwright.sync_api import Page

Q, SARSA = "train/maze/q_learning/seed-0", "train/maze/sarsa/seed-0"


def counts(text: str) -> list[int]:
    told: list[int] = np.frombuffer(base64.b64decode(text), "<u2").astype(int).tolist()
    return told


def values(packed: dict[str, Any]) -> np.ndarray[Any, Any]:
    """By the format's page: low + code / 65534 * (high - low); 65535 is none."""
    codes = np.array(counts(packed["codes"]), dtype=float)
    codes[codes == 65535] = np.nan
    told: np.ndarray[Any, Any] = packed["low"] + codes / 65534 * (packed["high"] - packed["low"])
    return told


def test_numbers_are_packed() -> None:
    assert counts(packed_values(np.array([-1.0, 0.0, 1.0, np.nan, -np.inf]))["codes"]) == [
        0,
        32767,
        65534,
        65535,
        65535,
    ]
    assert base64.b64decode(packed_hundredths([1.0, -0.5, 1000.0])) == b"\x64\x00\xce\xff\xff\x7f"
    assert packed_values(np.array([[3.0]]))["codes"] == packed_values(np.array([[0.0]]))["codes"]


def test_few_different_numbers_are_told_exactly() -> None:
    packed = packed_levels(np.array([[-1.0, -100.0], [0.1, -1.0]]))
    assert [packed["levels"][code] for code in counts(packed["codes"])] == [-1.0, -100.0, 0.1, -1.0]


def test_greedy_actions_as_text() -> None:
    table = np.array([[0, 0, 0, 0], [1, 2, 2, 0], [-np.inf, -3, -3, -np.inf], [np.nan] * 4])
    assert greedy_text(table) == ".11."


def test_a_recording_tells_the_episode(runs: Path) -> None:
    opened = open_run(runs / Q)
    recording = record([opened], 2).to_json()
    assert (recording["format"], recording["version"]) == (FORMAT, VERSION) == ("rl-lab recording", 1)
    agent, optimum = recording["tracks"]
    last = agent["moments"][-1]
    assert last["env_step"] == 4000
    env: Any = opened.make_env()
    for episode in last["episodes"]:
        steps, states = [], []
        for step in rollout(opened.agent().policy(episode["seed"]), env, episode["seed"]):
            steps.append(step)
            states.append(env.unwrapped.s)
        assert counts(episode["states"]) == states
        assert episode["actions"] == "".join(str(step.action) for step in steps[1:])
        assert episode["rewards"] == -1
        assert episode["length"] == len(steps) - 1
        assert (episode["end"], episode["success"]) == ("terminated", True)
    scene = recording["scenes"][0]
    table = values(last["beliefs"]["0"]).reshape(-1, 4)
    for state in range(36):
        if env.unwrapped.tables.ends[state]:
            assert np.isnan(table[state]).all()
        else:
            assert table[state] == pytest.approx(opened.agent().action_values(state), abs=1e-3)
    oracle = Oracle(env)
    assert values(scene["optimum"]).reshape(-1, 4)[0] == pytest.approx(oracle.q_values[0], abs=1e-2)
    assert (optimum["kind"], optimum["moments"][0]["episodes"][0]["length"]) == ("optimum", oracle.shortest_length)
    assert counts(scene["model"]["successors"]) == env.unwrapped.tables.successors.ravel().tolist()


def test_runs_in_one_maze_share_the_scene_and_have_their_training(runs: Path) -> None:
    recording = record([open_run(runs / Q), open_run(runs / SARSA)], 1).to_json()
    assert len(recording["scenes"]) == 1
    assert [track["label"] for track in recording["tracks"]] == ["q_learning, seed 0", "sarsa, seed 0", "optimum"]
    steps = [moment["env_step"] for moment in recording["tracks"][0]["moments"]]
    assert steps == [0, 500, 1000, 1500, 2000, 2500, 3000, 3500, 4000]
    at = record([open_run(runs / Q)], 1, at=1200).to_json()["tracks"][0]["moments"]
    assert [moment["env_step"] for moment in at] == [1000]


def test_a_lander_is_told_by_its_bodies(tmp_path: Path) -> None:
    result = train("LunarLander-v3", "heuristic_lander", steps=10, out=tmp_path, evaluation={"final_episodes": 1})
    opened = open_run(Path(result["run"]))
    recording = record([opened], 1).to_json()
    (scene,), (episode,) = recording["scenes"], recording["tracks"][0]["moments"][-1]["episodes"]
    env: Any = opened.make_env()
    bodies, observed = [], []
    for step in rollout(opened.agent().policy(0), env, episode["seed"]):
        observed.append(step.observation)
        base = env.unwrapped
        bodies.append([n for one in (base.lander, *base.legs) for n in (*one.position, one.angle)])
    told = np.frombuffer(base64.b64decode(episode["states"]), "<i2").reshape(-1, 9) / 100
    assert told == pytest.approx(np.array(bodies), abs=0.0051)
    assert scene["kind"] == "lander"
    assert episode["observations"]["size"] == 8
    assert values(episode["observations"]).reshape(-1, 8) == pytest.approx(np.array(observed), abs=1e-3)
    assert len(scene["ground"]) == 11
    assert scene["pad"][2] == pytest.approx(env.unwrapped.helipad_y, abs=1e-3)
    assert watch(result["run"], record=tmp_path / "lander.html")["bytes"] < 1_000_000


def test_other_environments_are_told_by_pictures(tmp_path: Path) -> None:
    result = train("CartPole-v1", "random", steps=30, out=tmp_path, evaluation={"final_episodes": 1})
    recording = record([open_run(Path(result["run"]))], 1).to_json()
    (scene,), (episode,) = recording["scenes"], recording["tracks"][0]["moments"][-1]["episodes"]
    assert scene["kind"] == "pictures"
    assert len(counts(episode["states"])) == episode["length"] + 1
    assert max(counts(episode["states"])) == len(scene["frames"]) - 1
    assert all(frame.startswith("data:image/png;base64,iVBOR") for frame in scene["frames"])  # few colours


def test_the_command_writes_a_small_page(rl_lab: Command, runs: Path, tmp_path: Path) -> None:
    done = rl_lab("watch", str(runs / Q), str(runs / SARSA), "--record", "race.html")
    assert done.returncode == 0, done.stderr
    assert "race.html" in done.stdout
    assert (tmp_path / "race.html").stat().st_size < 200_000
    assert rl_lab("watch", str(runs / Q), "--record", "race.html").returncode == 0  # one of ours is replaced
    (tmp_path / "mine.html").write_text("<!doctype html>\n<p>mine")
    done = rl_lab("watch", str(runs / Q), "--record", "mine.html")
    assert (done.returncode, (tmp_path / "mine.html").read_text()) == (2, "<!doctype html>\n<p>mine")
    done = rl_lab("watch", *[str(runs / Q)] * 7, "--record", "many.html")
    assert done.returncode == 2
    assert "expected at most 6 runs" in done.stderr


def test_a_page_is_one_file_in_which_no_name_becomes_code() -> None:
    hostile = '</script><script>alert(1)</script><img src=x onerror="alert(2)">'
    recording = {"title": hostile, "tracks": [{"label": hostile}]}
    page = standalone_page(recording)
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert page.count("</script>") == 3
    embedded = re.search(r'id="recording">(.*?)</script>', page)
    assert embedded is not None
    assert json.loads(embedded[1]) == recording
    assert not re.search(r"https?://(?!www\.w3\.org)", page)
    assert "default-src 'none'" in page


def test_both_languages_say_the_same_things() -> None:
    english, french = words()["en"], words()["fr"]
    assert english.keys() == french.keys()
    fields = re.compile(r"\{(\w+)\}")
    for key in english:
        assert sorted(fields.findall(english[key])) == sorted(fields.findall(french[key])), key
    static = Path(__file__).parents[2] / "rl_lab" / "web" / "static"
    for module in static.glob("*.js"):
        said = set(re.findall(r'\bsay\("(\w+)"', module.read_text()))
        assert said <= english.keys(), (module.name, said - english.keys())


def test_a_page_plays_from_a_file(runs: Path, tmp_path: Path, open_page: Callable[..., "Page"]) -> None:
    watch([runs / Q, runs / SARSA], record=tmp_path / "race.html")
    page = open_page(f"file://{tmp_path / 'race.html'}", reduced_motion="reduce")
    assert page.title() == "maze"
    assert page.locator(".stage canvas").count() == 1  # all three in one maze
    assert page.evaluate("player.playing") is False  # who wants no motion gets none
    page.keyboard.press("End")
    said = page.locator(".said").inner_text()
    assert said.count("reached the goal") == 3
    page.keyboard.press("g")
    assert page.locator(".stage canvas").count() == 3
    before = page.locator(".stage canvas").first.screenshot()
    page.locator(".training input").fill("0")
    assert "after 0 env steps" in page.locator(".legend").inner_text()
    assert page.locator(".stage canvas").first.screenshot() != before
    page.get_by_role("button", name="Français").click()
    assert "l'optimum" in page.locator(".legend").inner_text()


def test_a_wall_breaks_what_the_robot_believes(runs: Path, tmp_path: Path, open_page: Callable[..., "Page"]) -> None:
    watch(runs / Q, record=tmp_path / "maze.html")
    page = open_page(f"file://{tmp_path / 'maze.html'}", reduced_motion="reduce")
    episode = record([open_run(runs / Q)], 1).to_json()["tracks"][0]["moments"][-1]["episodes"][0]
    start, action = counts(episode["states"])[0], int(episode["actions"][0])
    page.get_by_label("Tool").select_option("wall")
    place = page.evaluate(
        "(() => { const box = document.querySelector('.stage canvas').getBoundingClientRect();"
        " const cell = Math.min((box.width - 8) / 6, (box.height - 8) / 6);"
        " return [box.left + (box.width - cell * 6) / 2, box.top + (box.height - cell * 6) / 2, cell]; })()"
    )
    left, top, cell = place
    across, down = [(0.5, 0.05), (0.95, 0.5), (0.5, 0.95), (0.05, 0.5)][action]
    page.mouse.click(left + (start % 6 + across) * cell, top + (start // 6 + down) * cell)
    said = page.locator(".said").inner_text()
    assert "there is no way out from there" in said  # a maze without loops has one way
    assert "q_learning, seed 0: bumps into a wall for ever" in said
    assert "the optimum: has no opinion here" in said
    assert page.evaluate("player.scenes[0].maze.brokenCells(player.tableOf(player.tracks[0]).greedy, 0)") == [start]
    page.keyboard.press("Escape")
    page.get_by_label("Tool").select_option("me")
    for move in episode["actions"]:
        page.keyboard.press(["ArrowUp", "ArrowRight", "ArrowDown", "ArrowLeft"][int(move)])
    assert "you: step" in page.locator(".said").inner_text()
    assert page.locator(".said").inner_text().count("reached the goal") == 3
