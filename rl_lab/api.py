"""The Python face: what the commands do, as functions."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym

from agents.base import Agent
from agents.registry import AGENTS, find_agent
from agents.registry import make_agent as _make_agent
from envs.registry import env_options
from envs.registry import make_env as _make_env
from experiments.comparison import Comparison, compare_runs
from experiments.errors import InputError, located, unknown
from experiments.evaluation import check_same_spaces, evaluate_agent, make_evaluation_env
from experiments.executor import Listener
from experiments.loading import check_agent_entry, check_engine, check_env_entry, load_spec, parse_spec
from experiments.many_seeds import SeedRuns, train_seeds
from experiments.run_folder import RunFolder
from experiments.runner import Outcome, run_trials
from experiments.seeding import episode_seeds
from experiments.spec import AgentEntry, EnvEntry, Spec, Trial
from experiments.trial import load_agent, refuse_code_inside
from rl_lab.progress import ProgressDisplay, Silence
from rl_lab.watching import watch_run

__all__ = [
    "SeedRuns",
    "compare",
    "evaluate",
    "make_agent",
    "make_env",
    "run_suite",
    "train",
    "train_entries",
    "train_seeds",
    "watch",
]


def make_env(id: str, *, render_mode: str | None = None, **options: Any) -> gym.Env[Any, Any]:
    """`gymnasium.make` with the lab's checks, for the lab's, Gymnasium's and your own (`module:Class`) environments.

    Raises:
        InputError: the id or an option is wrong; one line that says how.
    """
    check_env_entry(EnvEntry(id=id, settings=options))
    with located(f"envs: {id}"):
        return _make_env(id, render_mode=render_mode, **options)


def make_agent(name: str, env: gym.Env[Any, Any], *, seed: int = 0, **settings: Any) -> Agent:
    """An untrained agent of a registered name (or `module:Class`) for an environment.

    Raises:
        InputError: the name or a setting is wrong, or the agent cannot act in the environment.
    """
    check_agent_entry(AgentEntry(id=name, settings=settings))
    with located(f"agents: {name}"):
        return _make_agent(name, env, seed=seed, **settings)


def train(
    env: str | gym.Env[Any, Any],
    agent: str | Agent,
    *,
    steps: int | None = None,
    episodes: int | None = None,
    seed: int = 0,
    engine: str = "auto",
    out: str | Path = "runs",
    name: str = "train",
    progress: bool = False,
) -> dict[str, Any]:
    """Train an agent in an environment and write a run folder; an agent given as an object is trained afterwards.

    Args:
        env: an id, or an environment from `make_env` (its options are read; the run makes its own).
        agent: a name, or an agent from `make_agent` (its settings are read; afterwards it holds what was learned).
        steps: budget in env steps; without `steps` and `episodes` 100,000.
        episodes: budget in episodes.
        seed: of the run.
        engine: "auto", "python" or "compiled": how tabular agents are trained; the result is the same.
        out: where run folders go.
        name: the experiment's name, the first folder below `out`.
        progress: show a progress bar.

    Returns:
        What `rl-lab train --json` prints: run (its folder), status, env_steps, episodes, seconds.

    Raises:
        InputError: something is wrong; nothing has been written then.
    """
    env_values = {"id": env} if isinstance(env, str) else _env_values(env)
    agent_values = {"id": agent} if isinstance(agent, str) else _agent_values(agent)
    result = train_entries(
        env_values, agent_values,
        steps=steps, episodes=episodes, seed=seed, engine=engine, out=Path(out), name=name, progress=progress,
    )  # fmt: skip
    if isinstance(agent, Agent) and result["status"] == "finished":
        agent.load(RunFolder(Path(result["run"])).checkpoint.agent)
    return result


def train_entries(
    env: dict[str, Any],
    agent: dict[str, Any],
    *,
    steps: int | None,
    episodes: int | None,
    seed: int,
    out: Path,
    engine: str = "auto",
    name: str = "train",
    tensorboard: bool = False,
    progress: bool = True,
) -> dict[str, Any]:
    """`train`, for an environment and an agent as they stand in a spec."""
    values: dict[str, Any] = {"name": name, "seeds": [seed], "engine": engine, "envs": [env], "agents": [agent]}
    values["tensorboard"] = tensorboard
    values |= {key: value for key, value in (("steps", steps), ("episodes", episodes)) if value is not None}
    spec = parse_spec(values, "train")
    (trial,) = spec.trials()
    outcome = run_trials([trial], out, 1, _listener([trial], progress))
    folder = RunFolder(out / trial.folder)
    manifest = folder.read_manifest()
    return {
        "run": str(folder.path),
        "status": manifest["status"],
        "env_steps": manifest.get("env_steps", 0),
        "episodes": manifest.get("episodes", 0),
        "seconds": _seconds(folder),
    } | ({"error": manifest["error"]} if outcome.failed else {})


def run_suite(
    source: str,
    *,
    out: Path,
    jobs: int,
    seeds: int | None = None,
    steps: int | None = None,
    engine: str | None = None,
    retries: int = 0,
    tensorboard: bool = False,
    agents: Sequence[dict[str, Any]] = (),
    only: Sequence[str] = (),
    progress: bool = True,
) -> tuple[list[Trial], Outcome]:
    """Run a spec file or a bundled suite: its trials, and how they went.

    Args:
        source: the spec's file, or the suite's name.
        out: where run folders go.
        jobs: trials at once.
        seeds: seeds 0 to seeds - 1 instead of the spec's.
        steps: env steps a run instead of the spec's budgets.
        engine: "auto", "python" or "compiled" instead of the spec's.
        retries: times that a trial that fails is tried again.
        tensorboard: write event files too.
        agents: run these instead of the spec's, as entries of a spec.
        only: labels of environments; the others are left out.
        progress: show progress bars.

    Raises:
        InputError: something is wrong; nothing has been written then.
    """
    spec = load_spec(source)
    if agents or only:
        spec = _changed_spec(spec, agents, only, source)
    changes: dict[str, Any] = {} if seeds is None else {"seeds": seeds}
    if tensorboard:
        changes["tensorboard"] = True
    if engine is not None:
        changes["engine"] = check_engine(engine)
    if steps is not None:
        envs = [entry.model_copy(update={"steps": None, "episodes": None}) for entry in spec.envs]
        changes |= {"steps": steps, "episodes": None, "envs": envs}
    trials = spec.model_copy(update=changes).trials()
    return trials, run_trials(trials, out, jobs, _listener(trials, progress), spec.figure, retries)


def _changed_spec(spec: Spec, agents: Sequence[dict[str, Any]], only: Sequence[str], source: str) -> Spec:
    """The spec with other agents, and in some of its environments."""
    labels = [env.label for env in spec.envs]
    for label in only:
        if label not in labels:
            raise InputError(f"--only: {unknown('environment', label, labels)}")
    values = spec.model_dump(exclude_unset=True)
    values["envs"] = [env for env, label in zip(values["envs"], labels, strict=True) if not only or label in only]
    if agents:
        values["agents"] = list(agents)
    else:
        left = {name for env in spec.envs if not only or env.label in only for name in (env.label, env.id)}
        entries = zip(values["agents"], spec.agents, strict=True)
        values["agents"] = [entry for entry, agent in entries if agent.envs is None or left & set(agent.envs)]
        for entry in values["agents"]:
            if entry.get("envs"):
                entry["envs"] = [name for name in entry["envs"] if name in left]
    return parse_spec(values, source)


def _listener(trials: Sequence[Trial], progress: bool) -> Listener:
    return ProgressDisplay(len(trials)) if progress else Silence()


def evaluate(
    run: str | Path, *, episodes: int | None = None, env_options: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Evaluate the trained agent of a run on the episodes of its final score, or on the first or more of them.

    Args:
        run: the run's folder.
        episodes: how many; all of the final score if not given.
        env_options: options of the environment that are other than the run's, such as `{"split": "test"}`.

    Returns:
        What `rl-lab evaluate --json` prints.

    Raises:
        InputError: `run` is no run folder, is damaged, or has no checkpoint; or the agent does not fit the other
            options.
    """
    if episodes is not None and episodes < 1:
        raise InputError(f"episodes: expected at least 1, came {episodes}")
    folder = RunFolder(Path(run))
    trial = folder.trial()
    with located(f"{folder.path}: envs: {trial.env.id}"):
        refuse_code_inside(folder.path, trial.env.id)
        entry = trial.env.model_copy(update={"settings": trial.env.settings | (env_options or {})})
        check_env_entry(entry)
        env = make_evaluation_env(entry)
        check_same_spaces(trial.env, env)
    try:
        agent = load_agent(folder, env)
        count = trial.evaluation.final_episodes if episodes is None else episodes
        results = evaluate_agent(agent, env, episode_seeds(trial.evaluation.seed, "final", count))
    finally:
        env.close()
    return {
        "run": str(run),
        "env": trial.env.label,
        "agent": trial.agent.label,
        **({"env_options": env_options} if env_options else {}),
        "mean_return": sum(result.total_reward for result in results) / len(results),
        "episodes": [
            {
                "seed": result.seed,
                "return": result.total_reward,
                "length": result.length,
                "terminated": result.terminated,
                "truncated": result.truncated,
            }
            for result in results
        ],
    }


def compare(*folders: str | Path | Sequence[str | Path]) -> Comparison:
    """Compare the runs below some folders, given one by one or as a list: what `results.json` holds.

    Raises:
        InputError: a folder is missing or damaged, or its runs cannot be compared.
    """
    given = [[folder] if isinstance(folder, str | Path) else folder for folder in folders]
    return compare_runs([Path(folder) for several in given for folder in several])


def watch(
    run: str | Path,
    *,
    episodes: int = 1,
    record: str | Path | None = None,
    terminal: bool = False,
    overlay: str = "values",
    oracle: bool = False,
) -> dict[str, Any]:
    """Watch the trained agent of a run: in a window, in the terminal, or recorded as MP4 or GIF.

    Args:
        run: the run's folder.
        episodes: how many.
        record: a file, .mp4 or .gif.
        terminal: draw in the terminal.
        overlay: what is drawn over a maze: "values", "q_values", "visits", "path" or "none".
        oracle: draw the optimum beside the agent; of a recording or the terminal.

    Returns:
        episodes, frames and, of a recording, its file.

    Raises:
        InputError: there is nothing to watch, or no way to show it.
    """
    return watch_run(Path(run), episodes, None if record is None else Path(record), terminal, overlay, oracle)


def _env_values(env: gym.Env[Any, Any]) -> dict[str, Any]:
    spec = env.spec
    if spec is None:
        raise InputError("env: expected an environment from make_env or gymnasium.make, came one without a spec")
    env_id = spec.id if spec.id in gym.registry else str(spec.entry_point)
    registered = gym.registry.get(spec.id, spec)
    if spec.additional_wrappers or spec.max_episode_steps != registered.max_episode_steps:
        raise InputError(f"env: a run makes its own {env_id} and cannot repeat wrappers or limits put around this one")
    known = env_options(env_id)
    options = {key: value for key, value in spec.kwargs.items() if key in known}
    return {"id": env_id, "settings": _plain(options, "env")}


def _agent_values(agent: Agent) -> dict[str, Any]:
    target = f"{type(agent).__module__}:{type(agent).__qualname__}"
    name = next((name for name, (known, _) in AGENTS.items() if known == target), target)
    find_agent(name)
    return {"id": name, "settings": _plain(agent.given_settings, "agent")}


def _plain(values: dict[str, Any], place: str) -> dict[str, Any]:
    try:
        plain: dict[str, Any] = json.loads(json.dumps(values))
    except TypeError as error:
        raise InputError(f"{place}: expected options that JSON can hold: {error}") from error
    return plain


def _seconds(folder: RunFolder) -> float:
    """Wall-clock seconds of the run, training and evaluation."""
    try:
        rows = folder.rows("timing.csv", ("env_step",))
    except InputError:
        return 0.0
    return float(rows[-1]["seconds"]) if rows else 0.0
