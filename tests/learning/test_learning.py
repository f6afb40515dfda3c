"""Agents learn what is known: ceilings, fixed seeds, seconds."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from agents.base import Agent
from agents.budget import Budget
from agents.planning import exact
from agents.planning.oracle import Oracle
from agents.registry import make_agent
from envs.registry import make_env
from experiments.evaluation.environments import make_evaluation_env
from experiments.evaluation.rollout import evaluate_agent
from experiments.specs.spec import EnvEntry
from tests.helpers import LINEAR, PREDICTORS, TABULAR, train

MAZE: dict[str, Any] = {"rows": 6, "cols": 6}


def learned(options: dict[str, Any], steps: int, seed: int = 0, **settings: Any) -> Agent:
    agent = make_agent("q_learning", make_env("RLLab/Maze-v0", **options), seed=seed, **settings)
    train(agent, "RLLab/Maze-v0", options, Budget(steps=steps), seed=seed)
    return agent


@pytest.mark.parametrize(("learning_rate", "tolerance"), [(1.0, 0.0), (0.5, 1e-9)])
@pytest.mark.parametrize("initial_values", ["random", "zero"])
def test_q_learning_finds_the_planners_table(learning_rate: float, tolerance: float, initial_values: str) -> None:
    options = MAZE | {"start": "random"}
    settings: dict[str, Any] = {"discount": 1.0, "epsilon_schedule": "constant", "initial_values": initial_values}
    agent = learned(options, 60_000, learning_rate=learning_rate, epsilon=1.0, **settings)
    env = make_env("RLLab/Maze-v0", **options)
    planner = make_agent("value_iteration", env)
    for state in range(36):
        if state != env.unwrapped.exit_state:  # type: ignore[attr-defined]
            values, exact = agent.action_values(state), planner.action_values(state)
            assert values is not None
            assert exact is not None
            np.testing.assert_allclose(values, exact, rtol=0, atol=tolerance)


CONTROL = [name for name in TABULAR if name not in PREDICTORS + LINEAR]
RANDOM: dict[str, Any] = {"epsilon": 1.0, "epsilon_schedule": "constant"}  # off-policy agents learn from random moves
SLOW: dict[str, Any] = {"epsilon_decay": 0.9998, "learning_rate": 0.02}
OWN: dict[str, dict[str, Any]] = {  # what suits an algorithm, where it is not what suits most
    "n_step_sarsa": SLOW,
    "monte_carlo": SLOW,
    "tree_backup": RANDOM,
    "watkins_q_lambda": RANDOM,
    "sarsa_lambda": {"trace_decay": 0.5, **SLOW},
    "backward_q_lambda": {"trace_decay": 0.5, **SLOW},
    "dyna_q": {"planning_steps": 1, **RANDOM},
    "dyna_q_plus": {"planning_steps": 1, "kappa": 0.0, **RANDOM},
    "prioritized_sweeping": {"learning_rate": 1.0},
}
# Dyna plans with the last outcome that it saw: where outcomes differ, only small steps average over them.
ON_ICE: dict[str, dict[str, Any]] = {name: {"learning_rate": 0.002} for name in ("dyna_q", "dyna_q_plus")}
ON_ICE["expected_sarsa"] = {"learning_rate": 0.01}


def greedy_policy(name: str, env_id: str, options: dict[str, Any], steps: int, seed: int, **settings: Any) -> Any:
    """The environment, and what an agent does in each of its states after training."""
    env = make_env(env_id, **options)
    env.reset(seed=seed)
    agent = make_agent(name, env, seed=seed, **settings)
    if name == "prioritized_sweeping":
        steps //= 40
    else:
        agent.choose_engine("compiled", env, 0)
    agent.train(env, Budget(steps=steps))
    num_states = int(env.observation_space.n)  # type: ignore[attr-defined]
    return env, np.array([agent.select_action(state, explore=False) for state in range(num_states)])


@pytest.mark.parametrize("slip", [0.0, 0.2])
@pytest.mark.parametrize("name", CONTROL)
def test_every_control_algorithm_comes_within_two_percent_of_the_optimum(name: str, slip: float) -> None:
    """Of its greedy policy's exact value, on a maze with loops; exploration fades, so that SARSA comes there too."""
    options: dict[str, Any] = {"rows": 5, "cols": 5, "braid": 0.5, "slip": slip, "start": "random"}
    settings: dict[str, Any] = {"learning_rate": 0.05 if slip else 0.5, "discount": 1.0, "epsilon_decay": 0.999}
    settings |= OWN.get(name, {}) | (ON_ICE.get(name, {}) if slip else {})
    env, policy = greedy_policy(name, "RLLab/Maze-v0", options, 400_000, 1, **settings)
    oracle = Oracle(env)
    assert oracle.gap(policy, horizon=100) <= 0.02 * abs(oracle.value)


@pytest.mark.parametrize("is_slippery", [False, True])
@pytest.mark.parametrize("name", CONTROL)
def test_every_control_algorithm_crosses_the_frozen_lake(name: str, is_slippery: bool) -> None:
    """As often as the best policy does in 100 steps, less 0.05 (Dyna on the ice 0.1); on the ice as on dry land."""
    settings: dict[str, Any] = {"learning_rate": 0.05 if is_slippery else 0.5, "epsilon_decay": 0.9995}
    settings |= {"discount": 0.99, "initial_values": 0.5} | OWN.get(name, {})
    settings |= ON_ICE.get(name, {}) if is_slippery else {}
    env, policy = greedy_policy(name, "FrozenLake-v1", {"is_slippery": is_slippery}, 1_000_000, 2, **settings)
    oracle = Oracle(env)
    best = exact.optimal_values(oracle.model, 100)[0]
    bound = 0.1 if name.startswith("dyna") and is_slippery else 0.05
    assert oracle.policy_value(policy, horizon=100) >= best - bound


@pytest.mark.parametrize(
    "exploration",
    [
        {"exploration": "boltzmann", "temperature": 3.0, "temperature_schedule": "exponential"},
        {"exploration": "ucb", "confidence": 5.0},
        {"epsilon_schedule": "visits", "epsilon_min": 0.0},
        {"epsilon": 0.0, "initial_values": 0.0},  # optimistic: every step costs
        {"epsilon": 0.05, "epsilon_schedule": "constant", "count_bonus": 0.5},
        {"epsilon_schedule": "linear", "epsilon_decay_steps": 20_000},
    ],
)
@pytest.mark.parametrize("rate", [{"learning_rate": 0.5}, {"learning_rate_schedule": "polynomial"}])
def test_every_way_of_exploring_leads_to_the_exit(exploration: dict[str, Any], rate: dict[str, Any]) -> None:
    agent = learned(MAZE, 40_000, discount=1.0, **exploration, **rate)
    env = make_evaluation_env(EnvEntry(id="RLLab/Maze-v0", settings=MAZE))
    (episode,) = evaluate_agent(agent, env, [0])
    assert episode.total_reward == -env.unwrapped.exit_distances[0]  # type: ignore[attr-defined]


def online_return(name: str, env_id: str, num_episodes: int, seeds: range, **settings: Any) -> float:
    """The mean return of the last half of the training episodes."""
    returns = []
    for seed in seeds:
        agent = make_agent(name, make_env(env_id), seed=seed, epsilon_schedule="constant", **settings)
        monitor = train(agent, env_id, {}, Budget(episodes=num_episodes), seed=seed)
        returns += [episode.total_reward for episode in monitor.episodes[num_episodes // 2 :]]
    return float(np.mean(returns))


def test_sarsa_is_safer_on_the_cliff_and_q_learning_finds_the_optimal_path() -> None:
    """Sutton & Barto, Example 6.6: online about -25 and -50; the book's 500 episodes, epsilon 0.1, step size 0.5."""
    settings: dict[str, Any] = {"epsilon": 0.1, "learning_rate": 0.5, "discount": 1.0}
    sarsa = online_return("sarsa", "CliffWalking-v1", 500, range(10), **settings)
    q_learning = online_return("q_learning", "CliffWalking-v1", 500, range(10), **settings)
    assert -32 < sarsa < -20
    assert -60 < q_learning < -40
    env = make_env("CliffWalking-v1")
    agent = make_agent("q_learning", env, epsilon_schedule="constant", **settings)
    train(agent, "CliffWalking-v1", {}, Budget(episodes=500))
    policy = np.array([agent.select_action(state, explore=False) for state in range(48)])
    assert Oracle(env).policy_value(policy, horizon=100) == -13


def test_the_books_numbers_are_learned() -> None:
    corridor = "#" * 23 + "\n#S" + " " * 19 + "E#\n" + "#" * 23
    agent = learned({"layout": corridor}, 8_000, learning_rate=1.0, discount=1.0, initial_values="random")
    values = agent.action_values(1)
    assert values is not None
    assert values.tolist() == [-10.0, -9.0, -10.0, -11.0]


@pytest.mark.parametrize("seed", range(3))
def test_q_learning_solves_the_books_maze(seed: int) -> None:
    options = {"rows": 15, "cols": 15}
    agent = learned(options, 200_000, seed, learning_rate=0.5, discount=1.0, initial_values="random")
    env = make_evaluation_env(EnvEntry(id="RLLab/Maze-v0", settings=options))
    (episode,) = evaluate_agent(agent, env, [0])
    assert episode.total_reward == -env.unwrapped.exit_distances[0]  # type: ignore[attr-defined]


def test_the_maze_of_chapter_one_needs_a_discount_and_then_is_solved() -> None:
    options = MAZE | {"reward": "distance"}
    agent = learned(options, 40_000, learning_rate=0.5, discount=0.99)
    env = make_evaluation_env(EnvEntry(id="RLLab/Maze-v0", settings=options))
    (episode,) = evaluate_agent(agent, env, [0])
    assert episode.terminated
    assert episode.length == env.unwrapped.exit_distances[0]  # type: ignore[attr-defined]


def test_q_learning_reaches_the_frozen_lakes_optimum() -> None:
    env = make_env("FrozenLake-v1", is_slippery=False)
    agent = make_agent("q_learning", env, discount=0.9, initial_values=1.0, learning_rate=0.5)
    env.reset(seed=0)
    agent.train(env, Budget(steps=5_000))
    assert [episode.total_reward for episode in evaluate_agent(agent, env, [0])] == [1.0]


def test_dqn_learns_a_small_maze() -> None:
    options: dict[str, Any] = {"rows": 3, "cols": 3}
    settings: dict[str, Any] = {
        "learning_rate": 1e-3,
        "learning_starts": 100,
        "buffer_size": 5_000,
        "target_update_interval": 100,
    }
    settings |= {"exploration_fraction": 0.8, "policy_kwargs": {"net_arch": [32]}, "train_freq": 1, "batch_size": 64}
    agent = make_agent("sb3_dqn", make_env("RLLab/Maze-v0", **options), seed=1, **settings)
    train(agent, "RLLab/Maze-v0", options, Budget(steps=4_000))
    env = make_evaluation_env(EnvEntry(id="RLLab/Maze-v0", settings=options))
    (episode,) = evaluate_agent(agent, env, [0])
    assert episode.total_reward == -env.unwrapped.exit_distances[0]  # type: ignore[attr-defined]


@pytest.mark.parametrize("observation", ["grid", "view"])
@pytest.mark.parametrize("algorithm", ["DQN", "PPO"])
def test_stable_baselines3_trains_unmodified_on_one_side_and_is_evaluated_on_the_other(
    observation: str, algorithm: str
) -> None:
    import stable_baselines3
    from stable_baselines3.common.evaluation import evaluate_policy
    from stable_baselines3.common.monitor import Monitor

    options = {"rows": 3, "cols": 3, "levels": 4, "generator": "wilson", "observation": observation}
    settings: dict[str, Any] = {"n_steps": 64} if algorithm == "PPO" else {"learning_starts": 50, "buffer_size": 500}
    train_env: Any = Monitor(gym.make("envs:RLLab/Maze-v0", split="train", **options))  # type: ignore[arg-type]
    model = getattr(stable_baselines3, algorithm)("MlpPolicy", train_env, seed=0, **settings)
    model.learn(200)
    test_env: Any = Monitor(gym.make("envs:RLLab/Maze-v0", split="test", **options))  # type: ignore[arg-type]
    test_env.reset(seed=0)
    mean_return, _ = evaluate_policy(model, test_env, n_eval_episodes=4)
    assert -36 <= float(mean_return) <= -4  # type: ignore[arg-type]


def test_dqn_learns_a_small_maze_from_its_picture() -> None:
    import stable_baselines3

    env = gym.make("envs:RLLab/Maze-v0", rows=3, cols=3, observation="grid", max_steps=40)
    model = stable_baselines3.DQN(
        "MlpPolicy", env, learning_rate=1e-3, learning_starts=100, target_update_interval=100, buffer_size=5_000,
        train_freq=1, batch_size=64, exploration_fraction=0.8, policy_kwargs={"net_arch": [32]}, seed=0,
    )  # fmt: skip
    model.learn(4_000)
    observation, _ = env.reset(seed=0)
    total, over = 0.0, False
    while not over:
        action, _ = model.predict(observation, deterministic=True)
        observation, reward, terminated, truncated, _ = env.step(int(action))
        total, over = total + float(reward), terminated or truncated
    assert total == -env.unwrapped.exit_distances[0]  # type: ignore[attr-defined]


def test_the_heuristic_lands() -> None:
    entry = EnvEntry(id="LunarLander-v3")
    env = make_evaluation_env(entry)
    returns = [episode.total_reward for episode in evaluate_agent(make_agent("heuristic_lander", env), env, range(20))]
    assert 200 < np.mean(returns) < 300


@pytest.mark.parametrize("num_envs", [1, 4])
def test_a_deep_agent_learns_when_to_stop_at_blackjack(num_envs: int) -> None:
    """Its observations are tuples: the sum, the dealer's card, a usable ace. 0 is to stick, 1 another card."""
    env = gym.make("Blackjack-v1")
    env.reset(seed=0)
    agent: Any = make_agent("dqn", env, num_envs=num_envs, hidden_sizes=[32], epsilon=1.0, epsilon_schedule="constant")
    agent.train(env, Budget(steps=4_000))
    stick, hit = agent.action_values((20, 10, 0))
    assert stick > hit + 0.5  # to stick is worth about 0.44, a 21 alone helps
    stick, hit = agent.action_values((11, 10, 0))
    assert hit > stick + 0.1  # no card is too much: about 0.03 against -0.54


def test_planning_is_learned_for_mazes_that_were_never_seen() -> None:
    """New mazes every episode, of one side of the split; the exit is found in those of the other side."""
    options: dict[str, Any] = {"rows": 3, "cols": 3, "maze_seed": "new", "start": "random", "observation": "grid"}
    env = make_env("RLLab/Maze-v0", split="train", **options)
    env.reset(seed=0)
    agent = make_agent("dqn", env, preset="mazes", num_sweeps=9)
    unseen = make_env("RLLab/Maze-v0", split="test", **options)

    def found() -> float:
        return float(np.mean([episode.terminated for episode in evaluate_agent(agent, unseen, range(40))]))

    assert found() < 0.6
    agent.train(env, Budget(steps=3_000))
    assert found() > 0.75
