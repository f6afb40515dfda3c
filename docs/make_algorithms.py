"""Makes the pages of docs/algorithms: text and equations from algorithms.toml, code from the sources, curves from runs.

`make figures` makes all anew; `python docs/make_algorithms.py --pages` the pages without the pictures.
"""

import importlib
import inspect
import sys
import textwrap
import tomllib
from pathlib import Path
from typing import Any

import numpy as np

from agents.planning import sweeps
from agents.planning.oracle import exact_model
from agents.registry import AGENTS
from envs.registry import make_env
from experiments.execution.experiment import run_experiment
from experiments.figures.spec_figure import Line, draw, figure_lines
from experiments.results.stored_run import read_runs
from experiments.specs.loading import parse_spec
from experiments.specs.spec import Figure
from rl_lab.text.progress import Silence

DOCS = Path(__file__).parent
PAGES, IMAGES = DOCS / "algorithms", DOCS / "images" / "algorithms"
TEXTS: dict[str, dict[str, Any]] = tomllib.loads((DOCS / "algorithms.toml").read_text(encoding="utf-8"))

QUIET = {"every": 1_000_000_000, "episodes": 1, "final_episodes": 1}
MAZE = {"id": "RLLab/Maze-v0", "name": "maze", "rows": 6, "cols": 6, "braid": 0.5, "slip": 0.1}
LEARNER = {"learning_rate": 0.2, "discount": 1.0, "epsilon": 0.1, "epsilon_schedule": "constant"}
WALK = {"id": "RLLab/RandomWalk-v0", "name": "walk", "states": 19, "left_reward": -1.0}
CONTROL = {
    **{name: {} for name in ("q_learning", "sarsa", "expected_sarsa", "double_q_learning")},
    **{name: {"n": 4} for name in ("n_step_sarsa", "tree_backup")},
    **{name: {} for name in ("sarsa_lambda", "watkins_q_lambda", "backward_q_lambda")},
    "monte_carlo": {"epsilon": 1.0, "epsilon_schedule": "exponential", "epsilon_decay": 0.97, "epsilon_min": 0.1},
    **{"dyna_q": {}, "dyna_q_plus": {}, "prioritized_sweeping": {"learning_rate": 1.0}},
}
PREDICTION = {
    **{"td": {"learning_rate": 0.2}, "n_step_td": {"learning_rate": 0.3}, "td_lambda": {"learning_rate": 0.15}},
    **{"lambda_return": {"learning_rate": 0.2}, "monte_carlo_prediction": {"learning_rate": 0.05}},
}
CAR = {"learning_rate": 0.5, "discount": 1.0, "epsilon": 0.0, "epsilon_schedule": "constant"}
SUITED = "--set epsilon_schedule=constant --set epsilon=0.1 --set learning_rate=0.2 --set discount=1.0"
EXAMPLES = {  # the command of a page, where it is not the maze
    **dict.fromkeys(PREDICTION, "RLLab/RandomWalk-v0 {name} --episodes 20 --env states=19"),
    **dict.fromkeys(
        ("linear_q", "linear_sarsa_lambda"),
        "MountainCar-v0 {name} --episodes 150 --set learning_rate=0.5 --set discount=1.0 --set epsilon=0.0",
    ),
    "linear_backward_q_lambda": "MountainCar-v0 {name} --episodes 150 --set learning_rate=0.5 --set discount=1.0"
    " --set epsilon=0.0 --set trace_decay=0.7",
    "dqn": "RLLab/Maze-Small-v0 {name} --episodes 60 --set epsilon_schedule=constant --set epsilon=0.1"
    " --set discount=1.0",
    **dict.fromkeys(("value_iteration", "policy_iteration"), "RLLab/Maze-v0 {name} --episodes 1"),
    "monte_carlo": "RLLab/Maze-Small-v0 {name} --episodes 800 --set learning_rate=0.02 --set discount=1.0"
    " --set epsilon_decay=0.998",
}


def page(name: str) -> str:
    """The page of an agent."""
    text = TEXTS[name]
    command = EXAMPLES.get(name, "RLLab/Maze-Small-v0 {name} --episodes 300 " + SUITED).format(name=name)
    code = "\n\n\n".join(excerpt(place) for place in text["code"])
    files = sorted({place.split(":")[0].replace(".", "/") + ".py" for place in text["code"]})
    return "\n".join(
        [
            f"# {text['title']}",
            "",
            f"`{name}`: {AGENTS[name][1]} ({text['source']}).",
            "",
            f"    {text['equation']}",
            "",
            text["text"].strip(),
            "",
            f"![{text['title']}](../images/algorithms/{name}.png)",
            "",
            *([f"*{said}*", ""] if (said := how(name)) else []),
            f"**When to use it.** {text['when'].strip()}",
            "",
            "```sh",
            f"rl-lab train {command}",
            "```",
            "",
            f"The code, from {', '.join(f'`{file}`' for file in files)}:",
            "",
            "```py",
            code,
            "```",
            "",
            "All pages: [agents](../agents.md). Settings, exploration and step sizes: [tabular agents](../tabular.md).",
            "",
        ]
    )


def how(name: str) -> str:
    """What the picture's settings are."""
    if name in CONTROL:
        words = ", ".join(f"{key} {value}" for key, value in CONTROL[name].items())
        return "Learning rate 0.2, discount 1, epsilon 0.1, as Q-learning's beside it" + (
            f"; here {words}." if words else "."
        )
    if name in PREDICTION:
        return "Every action is equally likely; discount 1; the learning rates are in the legend."
    if name == "dqn":
        return "Discount 1, epsilon 0.1, 10 seeds; the states are one-hot. Q-learning's table as on its own page."
    return (
        "Learning rate 0.5, discount 1, no epsilon: values that begin at 0 are optimistic." if name in EXAMPLES else ""
    )


def excerpt(place: str) -> str:
    """The source of a function, `module:name` or `module:Class.name`."""
    module, _, path = place.partition(":")
    target: Any = importlib.import_module(module)
    for name in path.split("."):
        target = getattr(target, name)
    return textwrap.dedent(inspect.getsource(target)).strip()


def draw_all(out: Path) -> None:
    """The curves of all pages."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    optimum = 0.0
    agents = [{"id": name, "name": name, **LEARNER, **own} for name, own in CONTROL.items()]
    lines = trained(out, "control", 20, 150, MAZE, agents, Figure(title="", y="return", smooth=5))
    runs = read_runs([out / "control"])
    assert runs[0].scale is not None
    optimum = runs[0].scale.ceiling
    for name in CONTROL:
        figure = Figure(
            title=f"{TEXTS[name]['title']} in a slippery 6 x 6 maze",
            ylabel="return of an episode (mean of 5)",
            smooth=5,
            ylim=(-150, 0),
            marks={f"optimum without exploring: {optimum:.1f}": optimum},
        )
        draw(figure, [lines[one] for one in dict.fromkeys([name, "q_learning"])], IMAGES / name)
    agents = [{"id": name, "name": name, "discount": 1.0, **own} for name, own in PREDICTION.items()]
    lines = trained(out, "prediction", 100, 20, WALK, agents, Figure(title="", y="value_error"))
    for name, own in PREDICTION.items():
        figure = Figure(
            title=f"{TEXTS[name]['title']} on the random walk of 19 states",
            ylabel="RMS error of the values",
            ylim=(0, 0.6),
        )
        others = [one for one in ("td", "monte_carlo_prediction") if one != name]
        labelled = [
            relabelled(lines[one], f"{one}, rate {PREDICTION[one]['learning_rate']}") for one in [name, *others]
        ]
        draw(figure, labelled, IMAGES / name)
        assert own
    draw_tiles(out)
    draw_deep(out)
    draw_planning()


def draw_tiles(out: Path) -> None:
    """The curves of the pages of tile coding."""
    names = ("linear_sarsa_lambda", "linear_q", "linear_backward_q_lambda")
    backwards = {"linear_backward_q_lambda": {"trace_decay": 0.7}}
    agents = [{"id": name, "name": name, **CAR, **backwards.get(name, {})} for name in names]
    car = {"id": "MountainCar-v0", "name": "mountain-car"}
    lines = trained(out, "linear", 10, 300, car, agents, Figure(title="", y="length", smooth=11))
    for name in names:
        figure = Figure(
            title="MountainCar-v0, 8 tilings of 8 x 8", y="length", ylabel="steps of an episode (mean of 11)"
        )
        other = "linear_sarsa_lambda" if name == "linear_q" else "linear_q"
        draw(figure, [lines[name], lines[other]], IMAGES / name)


def draw_deep(out: Path) -> None:
    """The curve of the deep Q-network's page."""
    network = {"id": "dqn", "name": "dqn", "discount": 1.0, "epsilon": 0.1, "epsilon_schedule": "constant"}
    agents = [network, {"id": "q_learning", "name": "q_learning", **LEARNER}]
    lines = trained(out, "deep", 10, 150, MAZE, agents, Figure(title="", y="return", smooth=5))
    figure = Figure(
        title="A deep Q-network in a slippery 6 x 6 maze",
        ylabel="return of an episode (mean of 5)",
        smooth=5,
        ylim=(-150, 0),
    )
    draw(figure, [lines["dqn"], lines["q_learning"]], IMAGES / "dqn")


def trained(
    out: Path, name: str, seeds: int, episodes: int, env: dict[str, Any], agents: list[dict[str, Any]], figure: Figure
) -> dict[str, Line]:
    """The lines of agents that are trained in an environment, by their labels."""
    values = {"name": name, "seeds": seeds, "episodes": episodes, "evaluation": QUIET, "envs": [env], "agents": agents}
    run_experiment(parse_spec(values, name).run_specs(), out, 1, Silence(), figure)
    runs = [run for run in read_runs([out / name]) if run.finished]
    return {line.label: line for line in figure_lines(figure, runs)}


def relabelled(line: Line, label: str) -> Line:
    """The same line under another label."""
    return Line(label, line.x, line.mean, line.low, line.high, line.num_runs)


def draw_planning() -> None:
    """How wrong the values are after each sweep, at once and in place."""
    model, _ = exact_model(make_env("RLLab/Maze-Large-v0", slip=0.2))
    truth = sweeps.iterate_values(model, 1.0)[0]
    transitions = model.transitions.tocsr()
    lines = []
    for label in ("all states at once", "one after the other (Gauss-Seidel)"):
        values, errors = np.zeros(model.num_states), []
        for _ in range(110):
            if label.startswith("all"):
                values = model.backup(values, 1.0).max(axis=1)
            else:
                sweeps.sweep(values, model.rewards, transitions.indptr, transitions.indices, transitions.data, 1.0)
            errors.append(float(np.abs(values - truth).max()))
        line = np.array(errors)
        lines.append(Line(label, np.arange(1.0, 111.0), line, line, line, 1))
    figure = Figure(
        title="Value iteration, slippery 15 x 15 maze",
        xlabel="sweeps",
        ylabel="largest error of the values",
        yscale="log",
        xlim=(0, 110),
    )
    for name in ("value_iteration", "policy_iteration"):
        draw(figure, lines, IMAGES / name)


def main() -> None:
    """Write the pages, and draw the curves first if they are asked for."""
    if "--pages" not in sys.argv:
        draw_all(Path("runs") / "algorithms")
        for picture in IMAGES.glob("*.svg"):
            picture.unlink()
    PAGES.mkdir(exist_ok=True)
    for name in TEXTS:
        (PAGES / f"{name}.md").write_text(page(name), encoding="utf-8")


if __name__ == "__main__":
    main()
