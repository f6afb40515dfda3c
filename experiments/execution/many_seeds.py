"""Many seeds of one tabular agent in one call, on all cores, without run folders."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from agents.registry import make_agent
from agents.seeding import integer
from agents.tabular.agent import TabularAgent
from agents.tabular.engine import train_many
from agents.tabular.episodes import Episodes
from envs.registry import make_env
from experiments.errors import InputError, located
from experiments.execution.executor import available_cores
from experiments.specs.loading import check_agent_entry, check_env_entry
from experiments.specs.spec import AgentEntry, EnvEntry


class SeedRuns(NamedTuple):
    """What `train_seeds` gives, seed by seed."""

    seeds: list[int]
    agents: list[TabularAgent]  # trained
    episodes: list[Episodes]  # arrays: total_rewards, lengths, rates (epsilon), errors


def train_seeds(
    env: str,
    agent: str,
    *,
    seeds: int | Iterable[int],
    steps: int,
    env_options: dict[str, Any] | None = None,
    jobs: int | None = None,
    **settings: Any,
) -> SeedRuns:
    """Train one agent with many seeds by the compiled engine; each run is what `train` with that seed makes.

    Args:
        env: an environment's id, of those that the engine knows.
        agent: a tabular agent's name.
        seeds: of the runs; a count stands for 0 to count - 1, as in a spec.
        steps: env steps of each run.
        env_options: of the environment.
        jobs: cores to use; all if not given.
        settings: of the agent.

    Raises:
        InputError: something is wrong, or the engine cannot train this agent here, and why.
    """
    options, numbers = env_options or {}, list(range(seeds) if isinstance(seeds, int) else seeds)
    if not numbers or type(steps) is not int or steps < 1 or any(type(one) is not int or one < 0 for one in numbers):
        raise InputError(f"expected seeds and at least 1 step, got {len(numbers)} seeds and {steps} steps")
    wrong = sorted({"env", "rows", "cols", "episodes", "seed"} & set(settings))
    if wrong:
        expected = "seeds, steps, settings of the agent, and env_options={...} for the environment"
        raise InputError(f"expected {expected}, got {wrong[0]}")
    check_env_entry(EnvEntry(id=env, settings=options))
    check_agent_entry(AgentEntry(id=agent, settings=settings))
    agents, envs = [], []
    with located(f"{agent} on {env}"):
        for seed in numbers:
            envs.append(make_env(env, **options))
            envs[-1].reset(seed=integer(seed, "environment"))
            made = make_agent(agent, envs[-1], seed=seed, **settings)
            made.choose_engine("compiled", envs[-1], steps)
            assert isinstance(made, TabularAgent)  # the others have no compiled engine
            agents.append(made)
        return SeedRuns(numbers, agents, train_many(agents, envs, steps, jobs or available_cores()))
