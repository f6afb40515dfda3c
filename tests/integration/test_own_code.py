"""The user's own code behind a run: what is known of it, when it is imported, and what happens when it changes."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.errors import InputError
from experiments.runs import own_code
from experiments.runs.own_code import check_trusted, code_of, differing, remember, stale_modules
from tests.conftest import Command

AGENT = """
from agents.base import OnlineAgent
from helper import FIRST
class Base(OnlineAgent):
    def select_action(self, observation, *, explore, mask=None):
        return FIRST
class Mine(Base):
    pass
"""
TRAIN = (
    "train",
    "CartPole-v1",
    "mine:Mine",
    "--steps",
    "60",
    "--final-episodes",
    "2",
    "--env",
    "name=p",
    "--set",
    "name=a",
)
RUN = "runs/train/p/a/seed-0"


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an agent of one's own, and a user's own folder that is empty."""
    monkeypatch.setenv("RL_LAB_DATA", str(tmp_path / "data"))
    (tmp_path / "mine.py").write_text(AGENT)
    (tmp_path / "helper.py").write_text("FIRST = 0\n")
    return tmp_path


def manifest(folder: Path, run: str = RUN) -> dict[str, object]:
    values: dict[str, object] = json.loads((folder / run / "run.json").read_text())
    return values


def test_a_run_names_its_code_and_is_opened_by_it(rl_lab: Command, mine: Path) -> None:
    assert rl_lab(*TRAIN).returncode == 0
    code = manifest(mine)["code"]
    assert isinstance(code, dict)
    assert set(code) == {"mine", "helper"}
    assert all(len(digest) == 64 for digest in code.values())
    shutil.copytree(mine / RUN, mine / "copy")
    assert rl_lab("evaluate", "copy").returncode == 0  # wherever the run lies
    (mine / "helper.py").write_text("FIRST = 1\n")
    for command in ("evaluate", "verify", "watch"):
        done = rl_lab(command, RUN, *(["--terminal"] if command == "watch" else []))
        assert done.returncode == 2
        assert "mine:Mine is code that you have not run here, or that has changed since" in done.stderr
        assert "--trust-code" in done.stderr
    trusted = rl_lab("evaluate", RUN, "--trust-code")
    assert trusted.returncode == 0, trusted.stderr
    verified = rl_lab("verify", RUN, "--trust-code")
    assert verified.returncode == 1
    assert "  code: helper: " in verified.stdout
    assert "versions, machine and code are those of the run" not in verified.stdout


def test_going_on_with_other_code_is_refused(rl_lab: Command, mine: Path) -> None:
    assert rl_lab(*TRAIN).returncode == 0
    assert rl_lab(*TRAIN).returncode == 0  # it is there
    (mine / "helper.py").write_text("FIRST = 1\n")
    before = (mine / RUN / "run.json").read_bytes()
    for more in (("--steps", "90"), ("--seed", "1")):
        done = rl_lab(*TRAIN, *more)
        assert done.returncode == 2
        assert "was made by other code: helper differs" in done.stderr
    assert (mine / RUN / "run.json").read_bytes() == before
    assert not (mine / "runs/train/p/a/seed-1").exists()
    assert rl_lab(*TRAIN, "--seed", "1", "--out", "other").returncode == 0
    compared = rl_lab("compare", "runs", "other", "--no-report")
    assert "its runs differ in their code: helper" in compared.stdout


def test_a_kept_worker_never_runs_older_code_than_the_disk_has(rl_lab: Command, mine: Path) -> None:
    """Every run of this agent changes its own source, as a user does who edits while an experiment runs."""
    (mine / "mine.py").write_text(
        AGENT
        + "    def train(self, env, monitor):\n"
        + "        super().train(env, monitor)\n"
        + "        from pathlib import Path\n"
        + "        with Path(__file__).open('a') as file: file.write(f'# {self.seed}\\n')\n"
    )
    (mine / "s.toml").write_text(
        'name = "s"\nseeds = 5\nsteps = 40\n[evaluation]\nepisodes = 1\nfinal_episodes = 1\n'
        '[[envs]]\nid = "CartPole-v1"\nname = "p"\n[[agents]]\nid = "mine:Mine"\nname = "a"\n'
    )
    done = rl_lab("run", "s.toml", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    codes = [manifest(mine, f"runs/s/p/a/seed-{seed}")["code"] for seed in range(5)]
    digests = [code["mine"] for code in codes if isinstance(code, dict)]
    assert len(set(digests)) >= 3  # two at once may begin with the same
    assert "its runs differ in their code: mine" in rl_lab("compare", "runs/s", "--no-report").stdout


# -- reading imports nothing -------------------------------------------------------------------------------------

EVIL = "from pathlib import Path\nPath('was-run').touch()\n"


@pytest.mark.parametrize(
    ("part", "values"),
    [
        ("agent", {"name": None, "id": "evil:Agent"}),
        ("env", {"name": None, "id": "evil:Env"}),
        ("agent", {"id": "evil:Agent"}),
        ("agent", {"id": "runs.evil:Agent"}),
        ("env", {"id": "evil:Env"}),
        ("env", {"id": "evil:make"}),
        ("env", {"id": "subprocess:run", "settings": {"args": ["touch", "was-run"]}}),
        ("env", {"id": "experiments.files:remove_folder", "settings": {"path": "precious"}}),
        ("env", {"id": "numpy:load", "settings": {"file": "evil.pkl", "allow_pickle": True}}),
        ("env", {"id": "stable_baselines3.common.save_util:load_from_pkl", "settings": {"path": "evil.pkl"}}),
        ("env", {"id": "agents.registry:make_agent", "settings": {"name": "evil:Agent", "env": None}}),
        ("env", {"id": "gymnasium.envs.registration:make", "settings": {"id": "evil:Env"}}),
        ("env", {"wrappers": [{"id": "evil:Wrapper", "settings": {}}]}),
        (
            "env",
            {"wrappers": [{"id": "stable_baselines3.common.monitor:Monitor", "settings": {"filename": "was-run"}}]},
        ),
        ("env", {"wrappers": [{"id": "gymnasium.wrappers:RecordVideo", "settings": {"video_folder": "was-run"}}]}),
    ],
)
def test_nothing_of_a_run_is_run(part: str, values: dict[str, object], rl_lab: Command, tmp_path: Path) -> None:
    assert rl_lab("train", "CartPole-v1", "random", "--steps", "30", "--final-episodes", "1").returncode == 0
    (path,) = (tmp_path / "runs").rglob("run.json")
    known = json.loads(path.read_text())
    known["trial"][part] |= values
    path.write_text(json.dumps(known))
    (tmp_path / "precious").mkdir()
    (tmp_path / "evil.pkl").write_bytes(b"cposix\nsystem\n(S'touch was-run'\ntR.")
    for folder in (tmp_path, tmp_path / "runs", path.parent):
        (folder / "evil.py").write_text(EVIL)
    run = str(path.parent.relative_to(tmp_path))
    commands = [["status", "runs"], ["compare", "runs"], ["evaluate", run]]
    if part == "agent":  # one way in for all: the others are tried where the code is an agent's
        commands += [["list", "runs"], ["verify", run], ["watch", run, "--terminal"], ["draw", run, "x.svg"]]
    for command in commands:
        done = rl_lab(*command)
        assert "Traceback" not in done.stderr
        assert done.returncode == 2 or command[0] in ("status", "list", "compare")
        assert not (tmp_path / "was-run").exists(), command
        assert (tmp_path / "precious").exists(), command


def test_what_is_known_of_code() -> None:
    assert code_of([str, subprocess.run, json.JSONDecoder]) == {}  # Python's
    assert {__name__, "tests.conftest", "tests"} <= set(code_of([test_what_is_known_of_code]))
    (name, version), *_ = code_of([pytest.FixtureRequest]).items()
    assert (name.split(".")[0], version.split()[0]) == ("_pytest", "version")
    assert differing({"a": "1", "b": "2"}, {"a": "1", "b": "3", "c": "4"}) == ["b", "c"]


def test_code_of_a_notebook_has_no_source() -> None:
    script = "from experiments.runs.own_code import code_of\nclass Cell: pass\nprint(code_of([Cell]))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{'__main__': 'source unknown'}"


def test_a_record_is_of_all_its_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RL_LAB_DATA", str(tmp_path / "data"))
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "package").mkdir()
    for name in ("__init__", "agent", "helper"):
        (tmp_path / "package" / f"{name}.py").write_text(f"NAME = {name!r}\n")
    files = {f"package.{name}": tmp_path / "package" / f"{name}.py" for name in ("agent", "helper")}
    files["package"] = tmp_path / "package" / "__init__.py"
    code = {name: str(own_code._digest(path)) for name, path in files.items()}
    with pytest.raises(InputError, match=r"package\.agent:Mine is code that you have not run here"):
        check_trusted(["package.agent:Mine"])
    remember(code)
    check_trusted(["package.agent:Mine", "q_learning", "LunarLander-v3", "gymnasium.wrappers:FlattenObservation"])
    for path in files.values():
        text = path.read_text()
        path.write_text(text + "# changed\n")
        with pytest.raises(InputError, match="not run here"):
            check_trusted(["package.agent:Mine"])
        path.write_text(text)
    check_trusted(["package.agent:Mine"])
    assert "package" not in sys.modules  # nothing was imported for that


def test_stale_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "stale_one.py").write_text("class One: pass\n")
    import importlib

    one = importlib.import_module("stale_one").One
    code = code_of([one])
    assert "stale_one" not in stale_modules()
    (tmp_path / "stale_one.py").write_text("class One: x = 1\n")
    assert "stale_one" in stale_modules()
    assert code_of([one]) == code  # what was loaded is what is told
