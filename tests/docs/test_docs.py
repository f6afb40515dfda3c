"""What the README and the docs show is true: commands run, Python runs, specs are valid, links and pictures exist."""

import re
import runpy
import shlex
import tomllib
from pathlib import Path

import pytest

from agents.registry import AGENTS, find_agent
from experiments.specs.loading import parse_spec
from tests.conftest import ROOT, Command
from tests.served import serving
from tests.viewer.conftest import viewer_of

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
REFUSED = {"rl-lab train RLLab/Maze-v0 sb3_ppo --steps 2000 --set n_steps=256 --set activation_fn=Tanh"}
SHORTER = {  # what a test has no time for, and what it runs instead
    "rl-lab run first-benchmark": "--seeds 1 --steps 250 --only maze-9x9-slip --only lander",
    "rl-lab compare runs/first-benchmark": "--no-videos",
    "rl-lab run book-maze": "--seeds 2",
    "rl-lab run book-maze --jobs 2 --retries 1": "--seeds 2",
    "rl-lab run book-maze-distance": "--seeds 2",
    "rl-lab run book-lander": "--seeds 1 --steps 2000",
    "rl-lab run figure-8.2": "--seeds 2",
    "rl-lab run all-small --agent double_q_learning --set learning_rate=0.5 --only maze-1-small --only maze-4-slippery "
    "--seeds 5": "--steps 1000",
    "rl-lab compare runs/all-small --against all-small --out mine": "--no-videos",
    "rl-lab train LunarLander-v3 backward_q_lambda --set preset=lander --steps 1000000": "--steps 3000 "
    "--env name=moon --final-episodes 2",
    **dict.fromkeys(
        (
            "rl-lab run lander-table",
            "rl-lab run lander-half-minute",
            "rl-lab run lander-tiles",
            "rl-lab run lander-minute",
        ),
        "--seeds 1 --steps 2500 --change evaluation.final_episodes=2 --change evaluation.episodes=1",
    ),
    "rl-lab run lander": "--seeds 1 --steps 600 --change evaluation.final_episodes=2 --change evaluation.episodes=1",
    "rl-lab train LunarLander-v3 linear_backward_q_lambda --set preset=lander --steps 800000": "--steps 2000 "
    "--env name=moon --final-episodes 2",
    "rl-lab train LunarLander-v3 dqn --set preset=lander --steps 700000": "--steps 2500 --env name=moon "
    "--final-episodes 2",
    "rl-lab train RLLab/Maze-v0 dqn --env observation=grid --env rows=4 --env cols=4 --steps 600": "--steps 250 "
    "--final-episodes 2",
    "rl-lab train LunarLander-v3 dqn --set preset=lander --set num_envs=16 --set backend=envpool --steps 20000": ""
    "--steps 2500 --env name=moon --final-episodes 2 --set name=pooled",
    "rl-lab train RLLab/Maze-v0 dqn --set preset=mazes --env rows=5 --env cols=5 --env maze_seed=new "
    "--env start=random --env observation=grid --env split=train --env name=new --set name=planner "
    "--steps 12000": "--steps 1100 --final-episodes 2 --eval-episodes 1",
    "rl-lab run generalise": "--seeds 1 --steps 1100 --change evaluation.final_episodes=2 "
    "--change evaluation.episodes=1",
    "rl-lab compare runs/generalise": "--no-videos",
    "rl-lab train Pendulum-v1 sb3_sac --steps 300 --set preset=pendulum": "--final-episodes 5",
    "rl-lab train LunarLander-v3 sb3_td3 --env continuous=true --steps 300 --set learning_starts=200": ""
    "--final-episodes 5",
    "rl-lab train RLLab/Maze-v0 dqn --steps 3000": "--steps 400 --env name=small --final-episodes 2",
    "rl-lab compare runs/lander-half-minute runs/lander-minute": "--no-videos",
    "rl-lab run first-benchmark --until-decided --batch 4 --max-seeds 12": "--steps 250 --only maze-9x9-slip "
    "--agent random --agent q_learning --batch 2 --max-seeds 2 --change name=until",
    "rl-lab tune robot-search.toml --jobs 1": "--candidates 2 --candidate-seeds 1 --steps 500 --seeds 2",
    "rl-lab run robot.toml --until-decided --batch 10 --max-seeds 40": "--steps 500 --batch 2 --max-seeds 2",
    "rl-lab run robot.toml --change name=waxed --change envs.hall.slip=0.6 --seeds 10": "--steps 500 --seeds 1",
    "rl-lab run robot.toml --change name=waxed --change envs.hall.slip=0.6 --seeds 10 --steps 100000": "--steps 900 "
    "--seeds 1",
    **dict.fromkeys(("rl-lab compare runs/robot", "rl-lab compare runs/waxed"), "--no-report"),
    "rl-lab run mazes-tuned --jobs 2": "--seeds 2 --steps 500 --only maze-1-small",
    "rl-lab compare runs/mazes-tuned --against mazes": "--no-report",
    "rl-lab tune search.toml --jobs 2": "--candidates 2 --candidate-seeds 1 --steps 500 --seeds 2",
    "rl-lab compare runs/maze-search-tuned": "--no-videos",
}


FEWER_EPISODES = ("--final-episodes 2", "--eval-episodes 1")  # of every training that does not say how many


def in_a_test(command: str) -> str:
    """The command as it is run here: the same, sooner."""
    shorter = f"{command} {SHORTER.get(command, '')}"
    if command.startswith("rl-lab train "):
        shorter += "".join(f" {one}" for one in FEWER_EPISODES if one.split()[0] not in shorter)
    return shorter


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.M | re.S)


def with_commands() -> list[Path]:
    return [page for page in PAGES if blocks(page, "sh")]


def commands(page: Path) -> list[str]:
    return [line.split(" #")[0].strip() for line in "".join(blocks(page, "sh")).splitlines()]


def test_the_exceptions_are_on_the_pages() -> None:
    assert {*REFUSED, *SHORTER} <= {command for page in PAGES for command in commands(page)}


@pytest.mark.parametrize("page", with_commands(), ids=lambda page: page.name)
def test_commands_run(page: Path, rl_lab: Command, tmp_path: Path) -> None:
    for block in blocks(page, "python"):
        before = page.read_text().partition(block)[0]
        named = re.findall(r"`(my_\w+\.py)`", before)  # where the page says that it is
        (tmp_path / (named[-1] if named else "example.py")).write_text(block)
    for spec in blocks(page, "toml"):
        named = re.findall(r"`([\w-]+\.toml)`", page.read_text().partition(spec)[0])
        if named:
            (tmp_path / named[-1]).write_text(spec)
    for command in commands(page):
        arguments = shlex.split(in_a_test(command))
        assert arguments.pop(0) == "rl-lab", command
        if arguments[0] == "serve":
            with serving(*arguments[1:-2], cwd=tmp_path) as server:
                assert server.ask("/health").status == 200
            continue
        if arguments[0] == "ui":  # serves until it is stopped
            with viewer_of(tmp_path / arguments[1], *arguments[2:]) as viewer:
                assert viewer.get("/api/runs")["runs"]
            continue
        done = rl_lab(*arguments)
        assert done.returncode == (2 if command in REFUSED else 0), f"{command}\n{done.stderr}"


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name)
def test_python_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), {"__name__": "example"})


def test_the_specs_example_is_a_spec() -> None:
    (block,) = blocks(ROOT / "docs" / "experiments.md", "toml")
    spec = parse_spec(tomllib.loads(block), "docs")
    assert len(spec.run_specs()) == 5 * 3


def test_the_readme_sets_up_with_the_makefiles_own_targets() -> None:
    targets = re.findall(r"^make (\w+)", (ROOT / "README.md").read_text(), re.M)
    assert targets == ["demo", "test"]
    makefile = (ROOT / "Makefile").read_text()
    assert all(f"\n{target}: install" in makefile for target in targets)
    assert "make test" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_are_there(page: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)#]+)", prose):
        assert "://" in target or (page.parent / target).exists(), target


def test_the_pages_of_the_algorithms_are_of_today() -> None:
    """Their code is the sources', their text that of algorithms.toml; every agent of ours has one."""
    make_algorithms = runpy.run_path(str(ROOT / "docs" / "make_algorithms.py"))
    pages = {path.stem: path.read_text() for path in (ROOT / "docs" / "algorithms").glob("*.md")}
    others = {"random", "heuristic_lander"} | {name for name in AGENTS if name.startswith("sb3_")}
    assert set(pages) == set(AGENTS) - others
    for name, text in pages.items():
        assert text == make_algorithms["page"](name), f"{name}: run docs/make_algorithms.py --pages"


def test_the_textbooks_numbers_are_there() -> None:
    page = (ROOT / "docs" / "textbook.md").read_text()
    tables = re.findall(r"<!-- numbers: (\S+) -->\n(.*?)<!-- end -->", page, re.S)
    assert [name for name, _ in tables] == re.findall(r"images/textbook/(\S+)\.png", page)
    assert all(table.count("\n") > 4 for _, table in tables)


def test_every_setting_has_a_meaning_and_every_option_is_on_its_page() -> None:
    from agents.tabular.settings import TabularSettings
    from envs.mazes.generators import GENERATORS
    from envs.registry import env_options

    for name in AGENTS:
        settings = find_agent(name).Settings
        if issubclass(settings, TabularSettings):
            assert all(field.description for field in settings.model_fields.values()), name
    page = (ROOT / "docs" / "environments.md").read_text()
    assert all(f"`{name}`" in page for name in [*env_options("RLLab/Maze-v0"), *GENERATORS])


def test_no_page_and_no_lock_names_an_address_of_a_registry() -> None:
    for path in [*PAGES, ROOT / "requirements.lock", ROOT / "Makefile", ROOT / "pyproject.toml"]:
        text = re.sub(r"(sqlite:///|postgresql\+psycopg://user@host/|http://127\.0\.0\.1:)", "", path.read_text())
        assert "://" not in text, path  # a file, a database of the reader's, and this machine are no registries
