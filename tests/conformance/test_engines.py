"""Both engines are one: the same tables, episodes, generators and position, bit for bit."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.base import Agent
from agents.budget import Budget
from agents.registry import make_agent
from agents.tabular.sampler import uniform_thresholds, why_not
from agents.tabular.table import Table
from envs.registry import make_env
from envs.wrappers import step_limit
from tests.helpers import ENGINE_ENVS, LINEAR, PREDICTORS, TABULAR

COMPILED = [name for name in TABULAR if name not in ("prioritized_sweeping", *LINEAR)]
EXPLORATIONS: list[dict[str, Any]] = [
    {},
    {"epsilon": 0.3, "epsilon_schedule": "constant"},
    {"epsilon_schedule": "linear", "epsilon_decay_steps": 150},
    {"epsilon_schedule": "linear", "epsilon_decay_steps": 9, "decay_every": "episode"},
    {"epsilon_schedule": "visits", "epsilon_min": 0.0},
    {"epsilon_decay": 0.99, "decay_every": "step"},
    {"exploration": "boltzmann", "temperature": 2.0},
    {"exploration": "boltzmann", "temperature_schedule": "exponential", "temperature_decay": 0.9},
    {"exploration": "ucb", "confidence": 1.5},
    {"count_bonus": 0.5, "initial_values": 2.0},
]
STEP_SIZES: list[dict[str, Any]] = [
    {},
    {"learning_rate": 1.0, "discount": 1.0},
    {"learning_rate_schedule": "visits"},
    {"learning_rate_schedule": "linear", "learning_rate_min": 0.01, "learning_rate_decay_steps": 500},
    {"learning_rate_schedule": "polynomial", "learning_rate_power": 0.7, "initial_values": "random"},
]
OWN: dict[str, list[dict[str, Any]]] = {
    "n_step_sarsa": [{"n": 1}, {"n": 3}, {"n": 50}],
    "tree_backup": [{"n": 1}, {"n": 3}],
    "n_step_td": [{"n": 1}, {"n": 5}],
    "sarsa_lambda": [{"traces": kind} for kind in ("accumulating", "replacing", "dutch")],
    "watkins_q_lambda": [{"traces": kind, "trace_decay": 0.5} for kind in ("accumulating", "replacing", "dutch")],
    "backward_q_lambda": [{"trace_decay": 0.0}, {"trace_decay": 0.8}, {"trace_decay": 1.0}],
    "td_lambda": [{"trace_decay": 0.0}, {"traces": "accumulating"}],
    "monte_carlo": [{"visits": "first"}, {"visits": "every"}],
    "monte_carlo_prediction": [{"visits": "first"}, {"visits": "every"}],
    "dyna_q": [{"planning_steps": 3}],
    "dyna_q_plus": [{"planning_steps": 3, "kappa": 0.1}],
}


def everything(agent: Agent, env: gym.Env[Any, Any], budgets: list[Budget]) -> dict[str, Any]:
    """All that training leaves behind, as something that can be compared."""
    base: Any = env.unwrapped
    limits = [vars(wrapper).get("_elapsed_steps") for wrapper in wrappers(env)]
    return {
        "agent": plain(agent.get_state()),
        "episodes": [plain(episode._asdict()) for budget in budgets for episode in budget.episodes],
        "counts": [budget.count for budget in budgets],
        "generator": base.np_random.bit_generator.state,
        "position": [plain(vars(base).get(name)) for name in ("s", "lastaction", "_state", "_steps", "_trail")],
        "limits": limits,
    }


def wrappers(env: gym.Env[Any, Any]) -> list[gym.Env[Any, Any]]:
    return [env, *wrappers(env.env)] if isinstance(env, gym.Wrapper) else [env]


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    return value.item() if isinstance(value, np.generic) else value


def trained(
    engine: str, name: str, env_id: str, options: dict[str, Any], seed: int, chunks: list[Budget], **of_agent: Any
) -> dict[str, Any]:
    env = make_env(env_id, **options)
    if step_limit(env) is None:
        env = gym.wrappers.TimeLimit(env, 40)
    env.reset(seed=seed)
    agent = make_agent(name, env, seed=seed, **of_agent)
    chosen = agent.choose_engine(engine, env, 0)  # type: ignore[arg-type]
    assert chosen == engine
    for budget in chunks:  # stopping, also in the middle of an episode, and going on
        agent.train(env, budget)
    return everything(agent, env, chunks)


def assert_equal(name: str, environment: tuple[str, dict[str, Any]], seed: int, budgets: Any, **of_agent: Any) -> None:
    one, other = (trained(engine, name, *environment, seed, budgets(), **of_agent) for engine in ("python", "compiled"))
    assert one["counts"] == other["counts"]
    assert one["episodes"] == other["episodes"]
    assert one == other


@pytest.mark.parametrize("name", COMPILED)
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_engines_are_equal(name: str, data: st.DataObject) -> None:
    environment = data.draw(st.sampled_from(ENGINE_ENVS))
    of_agent: dict[str, Any] = {} if name in PREDICTORS else data.draw(st.sampled_from(EXPLORATIONS))
    of_agent = of_agent | data.draw(st.sampled_from(STEP_SIZES)) | data.draw(st.sampled_from(OWN.get(name, [{}])))
    seed = data.draw(st.integers(0, 2**32))
    first, second = data.draw(st.integers(1, 300)), data.draw(st.integers(1, 300))
    episodes = data.draw(st.integers(1, 8))
    assert_equal(
        name,
        environment,
        seed,
        lambda: [Budget(steps=first), Budget(episodes=episodes), Budget(steps=second)],
        **of_agent,
    )


def test_an_episode_longer_than_the_history_that_there_is_room_for() -> None:
    maze = ("RLLab/Maze-v0", {"rows": 30, "cols": 30})
    assert_equal("monte_carlo", maze, 3, lambda: [Budget(episodes=2)], epsilon_schedule="constant")


@pytest.mark.parametrize(("name", "env_id"), [("q_learning", "RLLab/Maze-v0"), ("sarsa", "Taxi-v4")])
def test_a_state_saved_by_one_engine_goes_on_in_the_other(name: str, env_id: str) -> None:
    results = []
    for order in (("python", "compiled"), ("compiled", "python"), ("python", "python")):
        env = make_env(env_id)
        env.reset(seed=1)
        state = None
        for engine in order:
            agent = make_agent(name, env, seed=1)
            if state is not None:
                agent.set_state(state)
            agent.choose_engine(engine, env, 0)
            budget = Budget(steps=777)
            agent.train(env, budget)
            state = agent.get_state()
        results.append(everything(agent, env, [budget]))
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("sarsa_lambda", {"traces": "dutch"}),
        ("watkins_q_lambda", {"table": "sparse"}),
        ("dyna_q", {}),
        ("linear_q", {"num_weights": 64}),
        ("linear_sarsa_lambda", {"exploration": "ucb"}),
    ],
)
def test_where_the_engine_cannot_go_auto_is_the_plain_loop(name: str, settings: dict[str, Any]) -> None:
    """Bins, sparse tables, tiles."""
    results = []
    for engine, words in (("python", "python"), ("auto", "python")):
        env = make_env("RLLab/Maze-v0", rows=4, cols=4, observation="position", slip=0.1)
        env.reset(seed=2)
        agent = make_agent(name, env, seed=2, **settings)
        assert agent.choose_engine(engine, env, 10**9) == words  # type: ignore[arg-type]
        budgets = [Budget(steps=700), Budget(episodes=3)]
        for budget in budgets:
            agent.train(env, budget)
        results.append(everything(agent, env, budgets))
    assert results[0] == results[1]


@pytest.mark.parametrize(
    ("env_id", "options", "reason"),
    [
        ("LunarLander-v3", {}, "its observations are put into bins"),
        ("RLLab/Maze-v0", {"maze_seed": "new"}, "another maze comes"),
        ("RLLab/Maze-v0", {"levels": 3}, "another maze comes"),
        ("RLLab/Maze-v0", {"observation": "position"}, "put into bins"),
        ("RLLab/Maze-v0", {"render_mode": "ansi"}, "every step is to be seen"),
        ("Taxi-v4", {"fickle_passenger": True}, "fickle_passenger draws"),
        ("Blackjack-v1", {}, "its observations are put into bins"),
    ],
)
def test_compiled_is_refused_with_the_reason(env_id: str, options: dict[str, Any], reason: str) -> None:
    env = make_env(env_id, **options)
    with pytest.raises(ValueError, match=reason):
        make_agent("q_learning", env).choose_engine("compiled", env, 10**9)


def test_compiled_is_refused_under_a_wrapper_that_changes_more_than_the_limit() -> None:
    from envs.wrappers import ResetSeed

    env = gym.wrappers.TransformReward(make_env("RLLab/Maze-v0"), lambda reward: float(reward) / 2)
    agent = make_agent("q_learning", env)
    with pytest.raises(ValueError, match="the wrapper TransformReward changes more than the limit of steps"):
        agent.choose_engine("compiled", env, 10**9)
    assert agent.choose_engine("auto", env, 10**9) == "python"
    assert why_not(gym.wrappers.TimeLimit(make_env("RLLab/Maze-v0"), 7)) is None
    assert why_not(ResetSeed(make_env("RLLab/Maze-v0"), 1)) is not None


def test_other_agents_have_no_second_engine() -> None:
    env = make_env("RLLab/Maze-v0")
    with pytest.raises(ValueError, match="the compiled engine trains tabular agents, and RandomAgent is none of them"):
        make_agent("random", env).choose_engine("compiled", env, 10**9)


@pytest.mark.parametrize(("max_steps", "expected"), [(49_999, "python"), (50_000, "compiled")])
def test_auto_compiles_what_is_worth_it(max_steps: int, expected: str) -> None:
    env = make_env("RLLab/Maze-v0")
    assert make_agent("q_learning", env).choose_engine("auto", env, max_steps) == expected


@given(st.integers(1, 3000), st.integers(0, 2999))
def test_starts_are_drawn_as_the_maze_draws_them(count: int, index: int) -> None:
    """At the very numbers where int(draw * count) changes."""
    thresholds = uniform_thresholds(count)
    for draw in (np.nextafter(thresholds[index % count], 0), min(thresholds[index % count], 1 - 2**-53)):
        if draw < 1:
            chosen = int(np.argmax(thresholds > draw))
            assert chosen == min(int(draw * count), count - 1)


def test_c_says_the_same() -> None:
    """The same algorithm, written again in C: the same table, bit for bit, where no multiplication is fused."""
    from agents.tabular.engine import Session
    from experiments.speed import tabular

    in_c = tabular.compile_c("-ffp-contract=off")
    if in_c is None:
        pytest.skip("no C compiler")
    table, num_episodes = tabular.train_in_c(in_c, 100_000)
    env = make_env("RLLab/Maze-v0", rows=15, cols=15)
    env.reset(seed=0)
    agent: Any = make_agent("q_learning", env, seed=0, **tabular.SETTINGS)
    steps, ended = Session(agent, env).advance(100_000, 10**9)
    assert (steps, len(ended.lengths)) == (100_000, num_episodes)
    assert table.tobytes() == agent.table.memory.q.tobytes()


def test_many_seeds_train_in_one_call_each_as_it_would_alone() -> None:
    from agents.tabular.engine import train_many

    def made(seed: int) -> tuple[Any, gym.Env[Any, Any]]:
        env = make_env("RLLab/Maze-v0", rows=5, cols=5, slip=0.2)
        env.reset(seed=seed)
        return make_agent("q_learning", env, seed=seed), env

    together = [made(seed) for seed in range(5)]
    agents, envs = zip(*together, strict=True)
    ended = train_many(agents, envs, 5_000, jobs=2)
    for seed in range(5):
        agent, env = made(seed)
        agent.train(env, budget := Budget(steps=5_000))
        assert plain(agent.get_state()) == plain(agents[seed].get_state())
        assert ended[seed].total_rewards.tolist() == [episode.total_reward for episode in budget.episodes]
        assert everything(agent, env, []) == everything(agents[seed], envs[seed], [])


def test_the_memory_has_no_more_arrays_than_are_needed() -> None:
    agent: Any = make_agent("q_learning", make_env("RLLab/Maze-v0"))
    table: Table = agent.table
    assert table.num_bytes < 2 * table.memory.q.nbytes
