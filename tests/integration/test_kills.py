"""A run that is killed and goes on ends with the same bytes as one that was never stopped. The kills are real.

`make soak` kills more often, and in more agents and environments (RL_LAB_SOAK=1).
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agents.registry import AGENTS
from envs.registry import ENTRIES
from experiments.specs.spec import AgentEntry, Budget, EnvEntry, Evaluation, RunSpec
from tests.conftest import ROOT
from tests.helpers import CONTINUOUS, FAST_SETTINGS, LINEAR, MAZES, PREDICTORS, TABULAR

SOAK = "RL_LAB_SOAK" in os.environ
LANDER = "LunarLander-v3"
MAZE = "RLLab/Maze-v0"
BINS: dict[str, Any] = {"num_edges": 3}


def case(agent: str, env: str = MAZE, options: dict[str, Any] | None = None, *, steps: int = 3000, **more: Any) -> Any:
    """A run with many checkpoints."""
    engine = more.pop("engine", "python")
    settings = FAST_SETTINGS.get(agent, {}) | more
    if options is None:
        options = {"rows": 4, "cols": 4, "slip": 0.1} if env == MAZE else {}
    run_spec = RunSpec(
        experiment="kills",
        env=EnvEntry(id=env, settings=options).labelled(),
        agent=AgentEntry(id=agent, settings=settings).labelled(),
        seed=3,
        budget=Budget(steps=steps),
        evaluation=Evaluation(every=steps // 12, episodes=1, final_episodes=3),
        engine=engine,
    )
    return pytest.param(run_spec, id=f"{agent}-{env.rpartition('/')[2]}-{engine}{'-'.join(['', *more])}")


SAMPLE = [
    case("q_learning", steps=20_000),
    case("q_learning", steps=400_000, engine="compiled", epsilon_schedule="linear"),
    case("n_step_sarsa", steps=20_000, n=4),
    case("dyna_q", steps=200_000, engine="compiled"),
    case("prioritized_sweeping", steps=3_000),
    case("q_learning", MAZE, MAZES["layout change"], steps=20_000),
    case("sarsa", LANDER, **BINS),
    case("sb3_dqn", LANDER, steps=800),
    case("sb3_ppo", LANDER, {"continuous": True, "enable_wind": True}, steps=800, use_sde=True, num_envs=3),
    case("dqn", LANDER, steps=1_600, num_envs=3, n=3, prioritized=True, dueling=True, average_rate=0.01),
    case("dqn", MAZE, {"observation": "grid", "rows": 3, "cols": 3}, steps=240),
    case("sb3_dqn", MAZE, MAZES["new maze each episode"], steps=1_200, optimize_memory_usage=True,
         replay_buffer_kwargs={"handle_timeout_termination": False}),
]  # fmt: skip
IN_MAZES = [case(name, steps=1_200 if name.startswith("sb3") else 10_000) for name in AGENTS if "lander" not in name
            and name not in (*LINEAR, *CONTINUOUS)]  # fmt: skip
ON_THE_MOON = [
    case(name, LANDER, {"continuous": True} if name in CONTINUOUS else {}, steps=1_200,
         **(BINS if name in TABULAR and name not in LINEAR else {}))
    for name in AGENTS if name not in (*PREDICTORS, "value_iteration", "policy_iteration")
]  # fmt: skip
IN_EVERY_ENVIRONMENT = [
    case(name, env, steps=1_200)
    for env in ENTRIES
    for name in ("sb3_ppo", "q_learning")
    if not (name == "q_learning" and env in ("RLLab/Maze-Generalise-v0", "RLLab/Maze-Partial-v0"))
]
IN_EVERY_MAZE = [case("sb3_dqn", MAZE, options, steps=1_200) for options in MAZES.values()]
CASES = SAMPLE + (IN_MAZES + ON_THE_MOON + IN_EVERY_ENVIRONMENT + IN_EVERY_MAZE if SOAK else [])


def killing(python: str, run_spec: RunSpec, out: Path, **request: Any) -> dict[str, Any]:
    request |= {"trial": run_spec.model_dump(mode="json"), "out": str(out)}
    done = subprocess.run(
        [python, "-m", "tests.killing"],
        input=json.dumps(request),
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("run_spec", CASES)
def test_killed_at_random_instants(run_spec: RunSpec, warm_python: str, tmp_path: Path) -> None:
    kills = 4
    answer = killing(warm_python, run_spec, tmp_path, kills=kills, seed=len(str(run_spec)))
    assert answer["differences"] == []
    assert answer["killed"] >= kills


@pytest.mark.parametrize("run_spec", [case("q_learning", steps=240), *([case("sb3_dqn", steps=240)] if SOAK else [])])
def test_killed_before_any_operation_on_a_file(run_spec: RunSpec, warm_python: str, tmp_path: Path) -> None:
    """Also while a checkpoint is written, and put in the place of the last."""
    run_spec = run_spec.model_copy(update={"evaluation": run_spec.evaluation.model_copy(update={"every": 100})})
    answer = killing(warm_python, run_spec, tmp_path, events=1 if SOAK else 3)
    assert answer["differences"] == []
    assert answer["killed"] > (60 if SOAK else 20)
