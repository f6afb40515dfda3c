"""report.html, the figures and the tables of a comparison: complete, and one file that needs nothing else."""

import base64
import csv
import json
import re
import xml.etree.ElementTree as ET
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from rl_lab.report.latex import escaped
from tests.conftest import Command
from tests.integration.test_comparison import make_agent_runs, make_run

SPEC = """
name = "small"
seeds = 5
steps = 600
[evaluation]
episodes = 2
final_episodes = 3
[[envs]]
id = "RLLab/Maze-v0"
name = "maze"
rows = 3
cols = 3
[[envs]]
id = "RLLab/Maze-v0"
name = "slip_1"
rows = 3
cols = 3
slip = 0.1
[[envs]]
id = "FrozenLake-v1"
name = "lake"
[[agents]]
id = "random"
[[agents]]
id = "q_learning"
name = "<b>q</b>"
"""
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """What is in a page: its sources, its links, and whether every tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.tags: list[str] = []
        self.players: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        self.sources += [values["src"] or ""] if "src" in values else []
        self.links += [values["href"] or ""] if "href" in values else []
        self.ids |= {values["id"] or ""} if "id" in values else set()
        if tag == "iframe":
            self.players.append(values["srcdoc"] or "")
            assert values["sandbox"] == "allow-scripts"  # of an origin of its own
        assert tag != "img" or values.get("alt"), "a picture without a description"
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The comparison's folder."""
    from rl_lab.report.folder import compare_folders
    from rl_lab.run import run_suite

    folder = tmp_path_factory.mktemp("report")
    (folder / "small.toml").write_text(SPEC.replace("<b>q</b>", "q_agent"))
    run_suite(str(folder / "small.toml"), out=folder, jobs=1, progress=False)
    compare_folders([folder / "small"])
    return folder / "small" / "comparison"


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def test_the_page_needs_nothing_else_and_runs_nothing(report: Path) -> None:
    page = Page((report / "report.html").read_text())
    assert page.open == []
    assert page.sources
    assert all(source.startswith("data:") for source in page.sources)
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)
    assert "script" not in page.tags
    assert "@import" not in page.text
    assert "url(" not in page.text


def test_the_page_says_everything(report: Path) -> None:
    page = Page((report / "report.html").read_text())
    results = json.loads((report / "results.json").read_text())
    for words in ("30 runs planned, 30 finished, 0 failed", "q_agent", "slip_1", "Optimality gap", "Holm", "paired"):
        assert words in page.text, words
    record = results["records"][0]
    assert f"{record['normalised']['iqm']:.3f}".replace("-", "−") in page.text
    seeds = record["evaluation"]["episode_seeds"]
    assert len(seeds) == 3
    assert all(str(seed) in page.text for seed in seeds)
    assert '"environment"' in page.text  # the seeds' derivation, of the manifest
    for fact in ("python", "gymnasium", "processor"):
        assert results["made_with"][fact][0] in page.text
    assert "about 90% for 5 runs" in page.text


def test_videos_are_of_the_median_runs_and_play(report: Path, tmp_path: Path) -> None:
    page = Page((report / "report.html").read_text())
    videos = [source for source in page.sources if source.startswith("data:video/mp4")]
    assert len(videos) == 2  # two agents in the one environment that cannot be told without pictures
    assert len(page.players) == 2  # the mazes, each with both agents and the optimum
    for player in page.players:
        told = re.search(r'id="recording">(.*?)</script>', player)
        assert told is not None
        assert [track["kind"] for track in json.loads(told[1])["tracks"]] == ["agent", "agent", "optimum"]
    scores: dict[tuple[str, str], list[tuple[float, int]]] = {}
    for row in rows_of(report / "scores.csv"):
        scores.setdefault((row["env"], row["agent"]), []).append((float(row["score"]), int(row["seed"])))
    for (_, agent), runs in scores.items():
        score, seed = sorted(runs)[2]
        assert f"{agent}, seed {seed}: score {score:.2f}".replace("-", "−") in page.text
    for number, video in enumerate(videos):
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(base64.b64decode(video.partition(",")[2]))
        frames, seconds = imageio_ffmpeg.count_frames_and_secs(str(path))
        assert frames > 4
        assert seconds > 0


def test_figures_are_pictures_and_drawings(report: Path) -> None:
    for name in ("aggregates", "profiles", "scores", "improvement", "maze/learning-curves", "slip_1/learning-curves"):
        assert (report / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert ET.parse(report / f"{name}.svg").getroot().tag.endswith("svg")


def test_tables_for_others(report: Path) -> None:
    results = json.loads((report / "results.json").read_text())
    runs = rows_of(report / "scores.csv")
    assert len(runs) == 30
    for record in results["records"]:
        mine = [row for row in runs if (row["env"], row["agent"]) == (record["env"], record["agent"])]
        assert [float(row["score"]) for row in mine] == record["scores"]
        assert [float(row["normalised"]) for row in mine] == record["normalised"]["scores"]
    summary = rows_of(report / "summary.csv")
    assert [float(row["iqm"]) for row in summary] == [record["iqm"] for record in results["records"]]
    latex = (report / "table.tex").read_text()
    assert r"q\_agent & $" in latex
    assert r"slip\_1" in latex
    rows = [line for line in latex.splitlines() if line.endswith(r"\\")]
    assert {line.count("&") for line in rows} == {3}
    assert latex.count("{") == latex.count("}")
    assert escaped("a_b%&#${}^~\\") == r"a\_b\%\&\#\$\{\}\^{}\~{}\textbackslash{}"


def test_everything_that_must_be_printed(rl_lab: Command, report: Path, tmp_path: Path) -> None:
    """STATISTICS.md's list, in a wide terminal; the essential in a narrow one."""
    folder = str(report.parent)
    done = rl_lab("compare", folder, "--out", "c", "--no-report", "--full", environment={"COLUMNS": "160"})
    assert done.returncode == 0, done.stderr
    expected = (
        "5/5|3 shared episodes (evaluation seed 0)|mean|IQM|95% interval|min|max|normalised|area|steps to 0.9|"
        "time a run|steps/s|All environments|optimality gap|Performance profile|Verdicts|"
        "probability of improvement|Cliff's delta|"
        "Cohen's d|paired difference|50,000 repetitions|2,000|seed 0|exact permutation test|Holm's correction|"
        "simulated: about 90% for 5 runs|Made with rl-lab|numpy|0 = random policy|1 = exact optimum|n = 5"
    )
    for words in expected.split("|"):
        assert words in done.stdout, words
    assert "by environment: " in " ".join(done.stdout.split())
    narrow = rl_lab("compare", folder, "--out", "c", "--no-report", "--full", environment={"COLUMNS": "70"})
    assert max(len(line) for line in narrow.stdout.splitlines() if "written" not in line) <= 70
    assert not (tmp_path / "c" / "report.html").exists()


def test_the_terminal_and_the_page_rank_alike(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the IQM, not by the mean; an agent without a finished run is the last."""
    from rl_lab.report.folder import compare_folders
    from rl_lab.text.comparison import print_comparison

    make_run(tmp_path / "runs", "broken", 0, [0.0, 0.0], status="failed")
    make_agent_runs(tmp_path / "runs", "lucky", [0.0, 0, 0, 0, 0, 100])
    make_agent_runs(tmp_path / "runs", "steady", [10.0] * 6)
    compare_folders([tmp_path / "runs"], tmp_path / "c", videos=False, on_compared=partial(print_comparison, full=True))
    printed = capsys.readouterr().out.split("Performance profile")[0]
    agents, order = "broken|lucky|steady", ["steady", "lucky", "broken"]
    assert re.findall(f"^({agents}) ", printed, re.MULTILINE) == order * 2  # scores, learning
    page = (tmp_path / "c" / "report.html").read_text().split('id="env-1"')[1]
    assert re.findall(rf"<tr><td>({agents})</td><td>\d/\d", page) == order


def test_names_cannot_put_code_into_the_page(tmp_path: Path) -> None:
    """The labels of other libraries' results are made plain, and everything is escaped."""
    from rl_lab.report.folder import compare_folders

    rows = [f"<script>alert(1)</script>,e<img src=x>,{seed},1,{seed}" for seed in range(4)]
    (tmp_path / "x.csv").write_text("\n".join(["agent,env,seed,step,return", *rows]) + "\n")
    compare_folders([tmp_path / "x.csv"], tmp_path / "c")
    text = (tmp_path / "c" / "report.html").read_text()
    assert "<script" not in text
    assert not re.search(r"<img src=x", text)
    assert Page(text).open == []


def test_an_agent_that_is_in_one_environment_keeps_its_colour_when_it_is_run(tmp_path: Path) -> None:
    """The figure that a run draws of one environment, and that of the whole experiment's comparison."""
    from experiments.figures.learning_curves import write_curves
    from experiments.results.run_result import RunResult

    curve = (np.arange(3.0), np.arange(3.0))
    groups = {
        (env, agent): [RunResult(env, agent, 0, "", curve=curve, env_steps=2)]
        for env, agent in (("one", "a"), ("two", "b"))
    }
    write_curves(groups, tmp_path / "compared")
    write_curves({("two", "b"): groups["two", "b"]}, tmp_path / "run", ["a", "b"])
    compared, run = ((tmp_path / name / "two" / "learning-curves.svg").read_text() for name in ("compared", "run"))
    assert compared == run
    assert "#d55e00" in run  # the second agent's, not the first's
    assert "#0072b2" not in run
