"""Training a run again, in memory, up to the end of any of its episodes; checked against what the run wrote."""

from collections.abc import Callable, Mapping

from agents.base import Agent, Episode
from agents.registry import make_agent
from agents.seeding import integer
from agents.storage import State
from experiments.errors import InputError, located
from experiments.evaluation.environments import closing, episode_limit, make_training_env
from experiments.runs.open_run import OpenRun
from experiments.training.budget import UNLIMITED, most_steps

MOST_STEPS = 500_000_000  # env steps that are trained again: some seconds


class _Replay:
    """A monitor that lets a training go on for a number of episodes, and keeps how they went."""

    env_snapshot: State | None = None

    def __init__(self, episodes: int, max_steps: int) -> None:
        self.max_steps, self.env_step = max_steps, 0
        self._left = episodes
        self.returns: list[float] = []
        self.lengths: list[int] = []

    @property
    def running(self) -> bool:
        return self._left > 0

    def allowance(self) -> tuple[int, int]:
        return UNLIMITED, self._left

    def step(self, count: int = 1) -> None:
        self.env_step += count

    def episode(self, episode: Episode) -> None:
        self._left -= 1
        self.returns.append(episode.total_reward)
        self.lengths.append(episode.length)

    def learning(self, values: Mapping[str, float]) -> None:
        pass

    def safe_point(self, snapshot: Callable[[], State] | None = None) -> None:
        pass


def can_replay(opened: OpenRun) -> bool:
    """Can machine code train the run again from its beginning, bit for bit, in little time?"""
    run_spec = opened.run_spec
    with closing(make_training_env(run_spec.env)) as env:
        agent = make_agent(run_spec.agent.id, env, seed=run_spec.seed, **run_spec.agent.settings)
        try:
            return agent.choose_engine("compiled", env, 1) == "compiled"
        except ValueError:
            return False


def agent_after(opened: OpenRun, episode: int) -> tuple[int, Agent]:
    """The run's agent as it was when an episode of its training had ended, and the env steps that it had made.

    Args:
        opened: the run.
        episode: how many episodes had ended; 0: none had.

    Raises:
        InputError: machine code cannot train this run, the run has fewer episodes, or they went otherwise than the
            run's log tells (another version, another machine).
    """
    run_spec = opened.run_spec
    log = opened.folder.episode_columns("return", "length")
    known = len(log["return"])
    if not 0 <= episode <= known:
        raise InputError(f"{opened.path}: expected an episode from 0 to {known:,}, got {episode:,}")
    if (steps := int(log["length"][:episode].sum())) > MOST_STEPS:
        raise InputError(f"{opened.path}: expected at most {MOST_STEPS:,} env steps to train again, got {steps:,}")
    env = make_training_env(run_spec.env)
    with closing(env), located(str(opened.path)):
        agent = make_agent(run_spec.agent.id, env, seed=run_spec.seed, **run_spec.agent.settings)
        max_steps = most_steps(run_spec.budget, episode_limit(env))
        agent.choose_engine("compiled", env, max_steps)
        seed = integer(run_spec.seed, "environment")
        env.reset(seed=seed)
        env.action_space.seed(seed)
        agent.prepare(env)
        replay = _Replay(episode, max_steps)
        agent.train(env, replay)
    for number, (mine, length) in enumerate(zip(replay.returns, replay.lengths, strict=True)):
        told = (log["return"][number], log["length"][number])
        if (mine, length) != told:
            raise InputError(
                f"{opened.path}: trained again, episode {number} earns {mine:g} in {length} steps; expected "
                f"{told[0]:g} in {told[1]:g}: another version or machine made it"
            )
    return replay.env_step, agent
