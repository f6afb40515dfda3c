"""Which agents there are, by name, and how a class of one's own is found. Nothing is imported before it is used."""

import difflib
import importlib
from types import ModuleType
from typing import Any

import gymnasium as gym

from agents.base import Agent, Spaces

AGENTS = {
    "random": ("agents.random_agent:RandomAgent", "uniformly random actions: the floor of every comparison"),
    "q_learning": ("agents.tabular.q_learning:QLearning", "tabular Q-learning, the book's; Box observations in bins"),
    "sarsa": ("agents.tabular.sarsa:Sarsa", "tabular SARSA: learns what its own exploring policy is worth"),
    "expected_sarsa": ("agents.tabular.expected_sarsa:ExpectedSarsa", "SARSA without the noise of drawing A'"),
    "double_q_learning": (
        "agents.tabular.double_q_learning:DoubleQLearning",
        "two tables against the bias of a maximum over noise",
    ),
    "n_step_sarsa": ("agents.tabular.n_step:NStepSarsa", "SARSA that looks n steps ahead"),
    "tree_backup": ("agents.tabular.n_step:TreeBackup", "n steps ahead, and off-policy"),
    "sarsa_lambda": ("agents.tabular.traces:SarsaLambda", "SARSA with eligibility traces"),
    "watkins_q_lambda": ("agents.tabular.traces:WatkinsQLambda", "Q-learning with traces that exploration cuts"),
    "backward_q_lambda": (
        "agents.tabular.backward_q:BackwardQLambda",
        "Q(lambda) backwards through every finished episode: lands on the moon",
    ),
    "monte_carlo": ("agents.tabular.monte_carlo:MonteCarlo", "averages the returns of whole episodes"),
    "dyna_q": ("agents.tabular.dyna:DynaQ", "Q-learning that plans with what it remembers"),
    "dyna_q_plus": ("agents.tabular.dyna:DynaQPlus", "Dyna-Q that is curious about what it has not tried for long"),
    "prioritized_sweeping": (
        "agents.tabular.prioritized_sweeping:PrioritizedSweeping",
        "plans where values are most wrong, and backwards from there",
    ),
    "linear_q": ("agents.tabular.linear:LinearQ", "Q-learning on a sum of tiles, for Box observations"),
    "linear_sarsa_lambda": ("agents.tabular.linear:LinearSarsaLambda", "SARSA(lambda) on a sum of tiles"),
    "linear_backward_q_lambda": (
        "agents.tabular.linear_backward:LinearBackwardQLambda",
        "Q(lambda) backwards through episodes, on a sum of tiles: lands in half a minute",
    ),
    "td": ("agents.tabular.prediction:TD", "predicts what a given policy is worth: TD(0)"),
    "n_step_td": ("agents.tabular.prediction:NStepTD", "the same, from n real rewards"),
    "td_lambda": ("agents.tabular.prediction:TDLambda", "the same, with eligibility traces"),
    "lambda_return": ("agents.tabular.prediction:LambdaReturn", "the same, from lambda-returns, off-line"),
    "monte_carlo_prediction": ("agents.tabular.prediction:MonteCarloPrediction", "the same, from whole returns"),
    "value_iteration": (
        "agents.planning.planners:ValueIteration",
        "exact planning from the model: the ground truth",
    ),
    "policy_iteration": (
        "agents.planning.planners:PolicyIteration",
        "exact planning: evaluates and improves a policy",
    ),
    "heuristic_lander": ("agents.heuristic_lander:HeuristicLander", "Gymnasium's hand-written lander controller"),
    "dqn": ("agents.deep.dqn:DQN", "our deep Q-network, with what was added to it since; preset = 'lander' lands"),
    "sb3_dqn": ("agents.sb3.baselines:SB3DQN", "stable-baselines3's deep Q-network; preset = 'lander' is RL Zoo's"),
    "sb3_qrdqn": ("agents.sb3.baselines:SB3QRDQN", "sb3-contrib's DQN with quantiles (extra: contrib)"),
    "sb3_ppo": ("agents.sb3.baselines:SB3PPO", "stable-baselines3's proximal policy optimisation"),
    "sb3_a2c": ("agents.sb3.baselines:SB3A2C", "stable-baselines3's advantage actor-critic"),
    "sb3_sac": ("agents.sb3.baselines:SB3SAC", "stable-baselines3's soft actor-critic, for continuous actions"),
    "sb3_td3": ("agents.sb3.baselines:SB3TD3", "stable-baselines3's twin delayed DDPG, for continuous actions"),
}


class UnknownAgentError(ValueError):
    """No agent has that name."""


def find_agent(name: str) -> type[Agent]:
    """The class of a registered name, or of `module:Class`.

    Raises:
        UnknownAgentError: nothing has that name, or it is no agent.
    """
    target = AGENTS[name][0] if name in AGENTS else name
    module_name, _, attribute = target.rpartition(":")
    if not module_name or ":" in module_name:
        raise UnknownAgentError(f"no agent is called {name!r}")
    try:
        module = importlib.import_module(module_name)
        candidate = getattr(module, attribute, None)
    except ImportError as error:
        hint = ""
        if isinstance(error, ModuleNotFoundError) and error.name == module_name.partition(".")[0]:
            hint = f"; run it in the folder where {error.name}.py is"
        raise UnknownAgentError(f"cannot import {name!r}: {error}{hint}") from error
    if candidate is None:
        raise UnknownAgentError(f"module {module_name!r} has no {attribute!r}{_near(attribute, module)}")
    if not (isinstance(candidate, type) and issubclass(candidate, Agent)):
        raise UnknownAgentError(f"{name!r} is no agent: expected a subclass of agents.base.Agent")
    return candidate


def _near(attribute: str, module: ModuleType) -> str:
    near = difflib.get_close_matches(attribute, dir(module), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def make_agent(name: str, env: gym.Env[Any, Any] | Spaces, *, seed: int = 0, **settings: Any) -> Agent:
    """An untrained agent, prepared for its environment; of two spaces alone, one that waits for a state.

    Raises:
        UnknownAgentError: nothing has that name.
        ValueError: a setting is wrong, or the agent cannot act in this environment.
    """
    agent = find_agent(name)(env, seed=seed, **settings)
    if not isinstance(env, Spaces):
        agent.prepare(env)
    return agent
