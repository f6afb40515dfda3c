"""Every planner and every evaluation, by sweeps or in place, equals the linear solve."""

from typing import Any

import numpy as np
import pytest

from agents.planning import exact, sweeps
from agents.planning.oracle import Oracle, exact_model
from agents.registry import make_agent
from envs.registry import make_env

MODELS: list[tuple[str, dict[str, Any], float]] = [
    ("RLLab/Maze-v0", {"rows": 5, "cols": 5}, 1.0),
    ("RLLab/Maze-Slippery-v0", {}, 0.9),
    ("RLLab/Maze-Pits-v0", {}, 0.99),
    ("RLLab/Maze-v0", {"layout": "windy-gridworld"}, 1.0),
    ("FrozenLake-v1", {}, 0.95),
    ("CliffWalking-v1", {}, 0.9),
    ("Taxi-v4", {}, 0.9),
]


@pytest.mark.parametrize(("env_id", "options", "discount"), MODELS)
@pytest.mark.parametrize("settings", [{"method": "sweeps"}, {"method": "gauss_seidel"}, {"method": "exact"}, None])
def test_every_planner_equals_the_linear_solve(
    env_id: str, options: dict[str, Any], discount: float, settings: dict[str, Any] | None
) -> None:
    env = make_env(env_id, **options)
    name = "policy_iteration" if settings is None else "value_iteration"
    planner: Any = make_agent(name, env, discount=discount, **(settings or {}))
    model, _ = exact_model(env)
    # Independent: the values of the greedy policy by a dense solve of V = R + discount * P V, and no action is better.
    rewards, transitions = model.chosen(planner.greedy_actions)
    values = np.linalg.solve(np.eye(model.num_states) - discount * transitions.toarray(), rewards)
    q_values = model.backup(values, discount)
    np.testing.assert_allclose(planner.q_values, q_values, rtol=0, atol=1e-8)
    assert (q_values.max(axis=1) <= values + 1e-8).all()


@pytest.mark.parametrize(("env_id", "options", "discount"), MODELS)
def test_policy_evaluation_equals_the_linear_solve(env_id: str, options: dict[str, Any], discount: float) -> None:
    env = make_env(env_id, **options)
    model, _ = exact_model(env)
    uniform = Oracle.uniform(env)
    discount = min(discount, 0.99)  # against the wind, random moves take ages
    solved = exact.unlimited_policy_values(model, uniform, discount)
    plain, many = sweeps.evaluate_policy(model, uniform, discount)
    in_place, few = sweeps.evaluate_policy(model, uniform, discount, gauss_seidel=True)
    scale = max(1.0, float(np.abs(solved).max()))
    np.testing.assert_allclose(plain / scale, solved / scale, rtol=0, atol=1e-7)
    np.testing.assert_allclose(in_place / scale, solved / scale, rtol=0, atol=1e-7)
    assert few < many


def test_a_compiled_sweep_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = exact_model(make_env("RLLab/Maze-Pits-v0"))
    values, count = sweeps.iterate_values(model, 0.9, gauss_seidel=True)
    monkeypatch.setattr(sweeps, "MANY_PAIRS", 1)
    compiled, same = sweeps.iterate_values(model, 0.9, gauss_seidel=True)
    assert count == same
    assert values.tobytes() == compiled.tobytes()


def test_what_does_not_converge_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "MAX_SWEEPS", 500)
    model, _ = exact_model(make_env("CliffWalking-v1"))
    forever = np.eye(4)[np.zeros(48, dtype=int)]  # always up
    with pytest.raises(ValueError, match="did not converge in 500 sweeps with discount 1"):
        sweeps.evaluate_policy(model, forever, 1.0)


def test_policy_iteration_says_where_no_policy_ends() -> None:
    trap = "#######\n#S E  #\n#######\n#     #\n#######"
    with pytest.raises(ValueError, match="from some states no policy ends: expected a discount below 1"):
        make_agent("policy_iteration", make_env("RLLab/Maze-v0", layout=trap))
    make_agent("policy_iteration", make_env("RLLab/Maze-v0", layout=trap), discount=0.9)
