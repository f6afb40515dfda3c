"""The Python face: what the commands do, as functions."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym

from agents.base import Agent
from agents.env_copy import spec_of
from agents.registry import AGENTS, find_agent
from agents.registry import make_agent as _make_agent
from envs.mazes.svg import draw_svg
from envs.mazes.text import draw_box
from envs.registry import env_options as options_of
from envs.registry import make_env as _make_env
from experiments.comparison.comparison import compare_runs
from experiments.comparison.pair_choice import AUTO
from experiments.errors import InputError, located, unknown
from experiments.evaluation.environments import closing
from experiments.evaluation.episode_seeds import seeds_of
from experiments.evaluation.rollout import evaluate_agent
from experiments.execution.many_seeds import SeedRuns, train_seeds
from experiments.figures.learning_curves import curves_figure
from experiments.figures.style import save_as, svg_text
from experiments.policies.export import export_policy
from experiments.policies.open_policy import open_policy
from experiments.results.endings import End, endings_of
from experiments.results.given_scales import parse_scales, read_scales
from experiments.results.reading import read_groups
from experiments.runs.run_folder import RunFolder
from experiments.specs.loading import check_agent_entry, check_env_entry
from experiments.specs.spec import AgentEntry, EnvEntry
from rl_lab.results import ComparisonResult, EvaluationResult, Picture, TrainingResult
from rl_lab.run import train_entries
from rl_lab.show.draw import DEFAULT_SIZE, check_file, drawn_maze, write
from rl_lab.show.watch import Look, watch_runs

__all__ = [
    "SeedRuns",
    "compare",
    "draw",
    "evaluate",
    "export",
    "load_agent",
    "make_agent",
    "make_env",
    "plot",
    "train",
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
    evaluation: dict[str, int] | None = None,
    engine: str = "auto",
    out: str | Path = "runs",
    name: str = "train",
    env_options: dict[str, Any] | None = None,
    settings: dict[str, Any] | None = None,
    progress: bool = False,
) -> TrainingResult:
    """Train an agent in an environment and write a run folder; an agent given as an object is trained afterwards.

    Args:
        env: an id, or an environment from `make_env` (its options are read; the run makes its own).
        agent: a name, or an agent from `make_agent` (its settings are read; afterwards it holds what was learned).
        steps: budget in env steps; without `steps` and `episodes` 100,000.
        episodes: budget in episodes.
        seed: of the run.
        evaluation: what of it shall be other than usual: `every` (env steps), `episodes`, `final_episodes`, `seed`.
        engine: "auto", "python" or "compiled": how tabular agents are trained; the result is the same.
        out: where run folders go.
        name: the experiment's name, the first folder below `out`.
        env_options: of an environment that is given by its id, such as `{"rows": 5}`.
        settings: of an agent that is given by its name, such as `{"learning_rate": 0.5}`.
        progress: show a progress bar.

    Returns:
        What `rl-lab train --json` prints: run (its folder), status, trained (false where the run had its budget
        already, so that nothing was trained now), env_steps, episodes, seconds; with `training`, `evaluations` and
        `curve` as tables (pandas).

    Raises:
        InputError: something is wrong; nothing has been written then.
    """
    for given, name_of, made in ((env_options, "env_options", env), (settings, "settings", agent)):
        if given and not isinstance(made, str):
            raise InputError(f"{name_of}: expected none beside an object, which has its own, got {sorted(given)[0]!r}")
    env_values = {"id": env, "settings": env_options or {}} if isinstance(env, str) else _env_values(env)
    agent_values = {"id": agent, "settings": settings or {}} if isinstance(agent, str) else _agent_values(agent)
    result = train_entries(
        env_values, agent_values,
        steps=steps, episodes=episodes, seed=seed, evaluation=evaluation or {},
        engine=engine, out=Path(out), name=name, progress=progress,
    )  # fmt: skip
    if isinstance(agent, Agent) and result["status"] == "finished":
        agent.load(RunFolder(Path(result["run"])).checkpoint.agent)
    return TrainingResult(result)


def evaluate(
    run: str | Path,
    *,
    episodes: int | None = None,
    env_options: dict[str, Any] | None = None,
    trust_code: bool = False,
) -> EvaluationResult:
    """Evaluate the trained agent of a run on the episodes of its final score, or on the first or more of them.

    Args:
        run: the run's folder.
        episodes: how many; all of the final score if not given.
        env_options: options of the environment that are other than the run's, such as `{"split": "test"}`.
        trust_code: import the run's `module:Class` although this user has not run that code here.

    Returns:
        What `rl-lab evaluate --json` prints, with `frame`, a table of its episodes.

    Raises:
        InputError: `run` is no run folder, is damaged, or has no checkpoint; or the agent does not fit the other
            options.
    """
    if episodes is not None and episodes < 1:
        raise InputError(f"episodes: expected at least 1, got {episodes}")
    opened = open_policy(Path(run), trust_code=trust_code)
    run_spec = opened.run_spec
    count = run_spec.evaluation.final_episodes if episodes is None else episodes
    with closing(opened.make_env(options=env_options)) as env, located(f"{run}: envs: {run_spec.env.id}"):
        agent = opened.agent()
        results = evaluate_agent(agent, env, seeds_of(run_spec.evaluation, "final", count))
        start = run_spec.env.reset_seed
        book = [] if start is None else evaluate_agent(agent, env, [start])
    ends = [End(one.terminated, one.success, one.unmet_share) for one in results]
    endings = endings_of(ends, run_spec.env.id, opened.manifest.table)
    values = {
        "run": str(run),
        "env": run_spec.env.label,
        "agent": run_spec.agent.label,
        **({"env_options": env_options} if env_options else {}),
        **({"return_from_its_start": book[0].total_reward} if book else {}),
        "mean_return": sum(result.total_reward for result in results) / len(results),
        "endings": endings.to_json(),
        "episodes": [
            {
                "seed": result.seed,
                "return": result.total_reward,
                "length": result.length,
                "terminated": result.terminated,
                "truncated": result.truncated,
                "success": result.success,
                "unmet_share": result.unmet_share,
            }
            for result in results
        ],
    }
    return EvaluationResult(values)


def load_agent(run: str | Path, *, at: int | None = None, trust_code: bool = False) -> Agent:
    """The trained agent of a run: it acts (`select_action`, `predict`, `policy`), and tells what it thinks of actions.

    Args:
        run: the run's folder.
        at: an env step of the training: the agent as it was at the last snapshot at or before it.
        trust_code: import the run's `module:Class` although this user has not run that code here.

    Raises:
        InputError: `run` is no run folder, is damaged, or has no checkpoint (or snapshot) yet.
    """
    return open_policy(Path(run), trust_code=trust_code).agent(at)


def export(run: str | Path, file: str | Path, *, at: int | None = None, trust_code: bool = False) -> Path:
    """Write a run's greedy policy into one file, which acts without its training, and its model card beside it.

    What was written is compared with the run on 10,000 observations first.

    Args:
        run: the run's folder.
        file: .npz of tables, tiles, plans and rules; .onnx of networks.
        at: an env step of the training: the policy as it was at the last snapshot at or before it.
        trust_code: import the run's `module:Class` although this user has not run that code here.

    Returns:
        The model card's file.

    Raises:
        InputError: something is wrong, or the two are not the same policy; there is no file then.
    """
    return export_policy(Path(run), Path(file), at=at, trust_code=trust_code).card_file


def compare(
    *folders: str | Path | Sequence[str | Path],
    against: str | Sequence[str] = (),
    pairs: str = AUTO,
    scale: str | Path | Mapping[str, Mapping[str, float]] | None = None,
    normalised: bool = False,
) -> ComparisonResult:
    """Compare the runs below some folders, given one by one or as a list.

    The result is what `results.json` holds, with tables (`frame`, `pairs`) and the `verdicts` in plain words.

    Args:
        folders: run folders, folders with them, and files with results of others.
        against: a bundled suite, or several, whose results join in.
        pairs: which pairs of agents are tested: "all", "best" (the best against each), an agent's label (that one
            against each), or "auto": all where these are at most 300, else the best's.
        scale: of the scores, by the environments' labels, such as `{"maze": {"floor": -30.0, "ceiling": 90.0}}`; or a
            TOML file with a table an environment.
        normalised: the scores of all other environments are normalised already.

    Raises:
        InputError: a folder is missing or damaged, or its runs cannot be compared.
    """
    given = [[folder] if isinstance(folder, str | Path) else folder for folder in folders]
    places = [Path(folder) for several in given for folder in several]
    scales = None
    if scale is not None:
        scales = read_scales(Path(scale)) if isinstance(scale, str | Path) else parse_scales(scale, "scale")
    suites = [against] if isinstance(against, str) else against
    return ComparisonResult(compare_runs(places, suites, pairs, scales, normalised=normalised))


def draw(
    what: str | Path,
    file: str | Path | None = None,
    *,
    env_options: dict[str, Any] | None = None,
    overlay: str = "values",
    wall_moves: bool = False,
    level: int | None = None,
    seed: int = 0,
    size: int = DEFAULT_SIZE,
    trust_code: bool = False,
) -> Picture:
    """A picture of a maze: of an environment's id with what is optimal, of a run's with what its agent has learned.

    Args:
        what: an environment's id, or a run's folder.
        file: where to write it too: .svg, .png or .txt.
        env_options: of the environment.
        overlay: what is drawn over the maze: "values", "q_values", "path" or "none".
        wall_moves: with "q_values", draw those of moves into walls too.
        level: of a pool of levels.
        seed: of the reset.
        size: of the longer side, about, in pixels.
        trust_code: import the run's `module:Class` although this user has not run that code here.

    Raises:
        InputError: it is no maze, or the file cannot be written.
    """
    options = env_options or {}
    maze = drawn_maze(
        str(what), options, overlay=overlay, level=level, seed=seed, size=size, wall_moves=wall_moves,
        trust_code=trust_code,
    )  # fmt: skip

    def save(path: Path) -> None:
        check_file(path)
        write(maze, path, size)

    picture = Picture(draw_svg(maze.scene(), size), draw_box(maze.scene()), save)
    if file is not None:
        picture.save(file)
    return picture


def plot(*folders: str | Path, env: str | None = None) -> Picture:
    """The learning curves of all runs below some folders in one environment.

    Args:
        folders: run folders, folders with them, and files with results of others.
        env: the environment's label; not needed where there is one only.

    Raises:
        InputError: there is no finished run, or there are several environments and none was chosen.
    """
    groups = read_groups([Path(folder) for folder in folders])
    envs = list(dict.fromkeys(of for of, _ in groups))
    if env is None and len(envs) > 1:
        raise InputError(f"env: expected one of {', '.join(envs)}, got none")
    chosen = envs[0] if env is None else env
    if chosen not in envs:
        raise unknown("environment", chosen, envs)
    if not any(run.finished for (of, _), runs in groups.items() if of == chosen for run in runs):
        raise InputError(f"{chosen}: expected a finished run, got none")
    figure = curves_figure(groups, chosen)
    return Picture(svg_text(figure), f"learning curves in {chosen}", lambda path: save_as(figure, path))


def watch(
    run: str | Path | Sequence[str | Path],
    *,
    episodes: int = 1,
    record: str | Path | None = None,
    terminal: bool = False,
    overlay: str = "values",
    wall_moves: bool = False,
    oracle: bool = False,
    at: int | None = None,
    through_training: bool = False,
    race: bool = False,
    grid: bool = False,
    trust_code: bool = False,
) -> dict[str, Any]:
    """Watch the trained agents of runs: in a window, in the terminal, or recorded as MP4, GIF or a page.

    Args:
        run: the run's folder, or several runs'.
        episodes: how many.
        record: a file: .html (a page that plays the episodes, in one file), .mp4, .gif, or .png (a strip).
        terminal: draw in the terminal.
        overlay: what is drawn over a maze: "values", "q_values", "visits", "path" or "none".
        wall_moves: with "q_values", draw those of moves into walls too.
        oracle: draw the optimum beside the agent; of a recording or the terminal.
        at: an env step of the training: the agent as it was at the last snapshot at or before it.
        through_training: the agent as it was at every snapshot, one after the other; six seconds of an episode at most.
        race: several runs in step, as with several runs in any case.
        grid: pictures in a grid, not in a row; of one run, with `through_training`, all moments at once.
        trust_code: import the run's `module:Class` although this user has not run that code here.

    Returns:
        episodes, frames and, of a recording, its file.

    Raises:
        InputError: there is nothing to watch, or no way to show it.
    """
    runs = [run] if isinstance(run, str | Path) else run
    look = Look(
        episodes=episodes,
        overlay=overlay,
        oracle=oracle,
        wall_moves=wall_moves,
        at=at,
        through_training=through_training,
        race=race,
        grid=grid,
    )
    file = None if record is None else Path(record)
    return watch_runs([Path(one) for one in runs], look, file, terminal=terminal, trust_code=trust_code)


def _env_values(env: gym.Env[Any, Any]) -> dict[str, Any]:
    spec = env.spec
    if spec is None:
        raise InputError("env: expected an environment from make_env or gymnasium.make, got one without a spec")
    env_id = spec.id if spec.id in gym.registry else str(spec.entry_point)
    registered = gym.registry.get(spec.id, spec)
    spec = spec_of(env, "env")
    if spec.additional_wrappers or spec.max_episode_steps != registered.max_episode_steps:
        raise InputError(f"env: a run makes its own {env_id} and cannot repeat wrappers or limits put around this one")
    known = options_of(env_id)
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
