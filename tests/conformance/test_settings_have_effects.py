"""Every setting of every tabular agent changes what is learned, or is refused because it cannot."""

from typing import Any

import numpy as np
import pytest

from agents.budget import Budget
from agents.registry import AGENTS, find_agent, make_agent
from agents.tabular.settings import TabularSettings
from envs.registry import make_env
from experiments.errors import InputError
from experiments.specs.loading import check_agent_entry, load_spec, suite_names
from experiments.specs.spec import AgentEntry

OTHER_VALUES: dict[str, Any] = {
    "learning_rate": 0.37, "learning_rate_schedule": "visits", "learning_rate_power": 0.6, "discount": 0.5,
    "exploration": "ucb", "epsilon": 0.3, "epsilon_schedule": "linear", "epsilon_decay": 0.5, "epsilon_min": 0.99,
    "epsilon_decay_steps": 50, "temperature": 0.3, "temperature_schedule": "linear", "temperature_decay": 0.5,
    "temperature_min": 0.5, "temperature_decay_steps": 50, "decay_every": "step", "confidence": 0.1,
    "count_bonus": 1.0, "initial_values": 3.0, "table": "sparse", "bins": "quantile", "edges": [-0.05, 0.02],
    "num_edges": 3, "n": 2, "trace_decay": 0.2, "visits": "every", "planning_steps": 3, "kappa": 1.0,
    "num_tilings": 3, "num_tiles": 3, "num_weights": 300, "threshold": 0.5,
    "policy": [1] * 9, "learning_rate_min": 0.2, "learning_rate_decay_steps": 50,
    "decay_share": 0.1, "preset": "lander",
    "mirror": {"negated": [0, 1, 2, 3], "actions": [1, 0]},
}  # fmt: skip
PLACES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("RLLab/Maze-v0", {"rows": 3, "cols": 3, "slip": 0.2, "max_steps": 30}),
    ("CartPole-v1", {}),
)
TABULAR = [name for name in AGENTS if issubclass(find_agent(name).Settings, TabularSettings)]


def learned(name: str, place: tuple[str, dict[str, Any]], **settings: Any) -> str | None:
    """All that an agent knows after some steps; None where it cannot act there."""
    env = make_env(place[0], **place[1])
    env.reset(seed=1)
    try:
        agent = make_agent(name, env, seed=3, **settings)
    except ValueError:
        return None
    agent.prepare(env)
    agent.train(env, Budget(steps=400))
    return _text(agent.get_state())


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return repr({key: _text(one) for key, one in value.items()})
    return f"{value.shape}{value.tobytes()!r}" if isinstance(value, np.ndarray) else repr(value)


@pytest.mark.parametrize("name", TABULAR)
def test_a_setting_has_an_effect_or_is_refused(name: str) -> None:
    settings = find_agent(name).Settings
    before = [learned(name, place) for place in PLACES]
    for key, field in settings.model_fields.items():
        other = OTHER_VALUES.get(key)
        if key == "traces":
            other = "accumulating" if field.default == "replacing" else "replacing"
        assert other is not None, f"another value for {key}?"
        if key in settings(**{key: other}).without_effect():
            with pytest.raises(InputError, match=rf"agents: {name}: {key} has no effect: .+; leave it out"):
                check_agent_entry(AgentEntry(id=name, settings={key: other}))
            continue
        after = [learned(name, place, **{key: other}) for place in PLACES]
        refused = all(one is None for one in after)  # the agent says so itself
        assert refused or any(one != two for one, two in zip(before, after, strict=True) if two is not None), key


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"temperature": 2.0}, "temperature has no effect: exploration is 'epsilon_greedy', not 'boltzmann'"),
        ({"exploration": "ucb", "epsilon": 0.1}, "epsilon has no effect: exploration is 'ucb', not 'epsilon_greedy'"),
        ({"epsilon_decay_steps": 9}, "epsilon_decay_steps has no effect: epsilon_schedule is 'exponential'"),
        ({"epsilon_schedule": "linear", "epsilon_decay": 0.9}, "epsilon_decay has no effect: epsilon_schedule is 'li"),
        ({"epsilon_schedule": "constant", "epsilon_min": 0.1}, "epsilon_min has no effect: epsilon_schedule is 'con"),
        ({"learning_rate_schedule": "visits", "learning_rate": 0.5}, "learning_rate has no effect"),
        ({"learning_rate_min": 0.01}, "learning_rate_min has no effect: learning_rate_schedule is 'constant', not"),
        ({"decay_share": 0.5}, "decay_share has no effect: no schedule is 'linear'"),
        (
            {"epsilon_schedule": "linear", "decay_share": 0.5, "epsilon_decay_steps": 9},
            "epsilon_decay_steps has no effect: decay_share is given",
        ),
        ({"learning_rate_power": 0.7}, "learning_rate_power has no effect: learning_rate_schedule is 'constant'"),
        ({"edges": [0.0], "num_edges": 3}, "num_edges has no effect: edges are given"),
        ({"exploration": "ucb", "decay_every": "step"}, "decay_every has no effect: exploration is 'ucb'"),
    ],
)
def test_what_has_no_effect_beside_another_setting_says_why(settings: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError) as raised:
        check_agent_entry(AgentEntry(id="q_learning", settings=settings))
    assert f"agents: q_learning: {why}" in str(raised.value)


def test_what_has_an_effect_beside_another_setting_is_taken() -> None:
    for settings in (
        {"exploration": "boltzmann", "temperature": 2.0, "temperature_schedule": "linear", "temperature_min": 0.1},
        {"exploration": "ucb", "confidence": 1.0},
        {"epsilon_schedule": "linear", "epsilon_decay_steps": 100, "epsilon_min": 0.2, "decay_every": "episode"},
        {"learning_rate_schedule": "polynomial", "learning_rate_power": 0.7},
        {"learning_rate_schedule": "linear", "learning_rate_min": 0.01, "learning_rate_decay_steps": 100},
        {"epsilon_schedule": "visits", "epsilon_min": 0.1},
        {"epsilon_schedule": "linear", "decay_share": 0.5},
    ):
        check_agent_entry(AgentEntry(id="q_learning", settings=settings))


def test_the_bundled_suites_have_no_idle_settings() -> None:
    assert all(load_spec(name).agents for name in suite_names())
