"""Two small problems from Sutton & Barto that are no mazes: the random walk and the maximization-bias problem.

Both have the exact model that toy_text's environments have, and draw like them: one `random()` a reset and a step.
"""

from statistics import NormalDist
from typing import Annotated, Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from pydantic import Field

from envs.arguments import checked

Outcome = tuple[float, int, float, bool]
Model = dict[int, dict[int, list[Outcome]]]


class FiniteEnv(gym.Env[Any, Any]):
    """An environment that is its model: `P`, `initial_state_distrib` and the state `s`."""

    render_mode: str | None = None

    def __init__(self, model: Model, start: int) -> None:
        self.P = model
        self.initial_state_distrib: NDArray[np.float64] = np.zeros(len(model))
        self.initial_state_distrib[start] = 1.0
        self.num_actions = len(model[0])
        self.observation_space = spaces.Discrete(len(model))
        self.action_space = spaces.Discrete(self.num_actions)
        self.s = self._start = start
        self.steps = 0
        self._cumulative = {
            (state, action): np.cumsum([outcome[0] for outcome in outcomes])
            for state, actions in model.items()
            for action, outcomes in actions.items()
        }

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """Begin an episode."""
        super().reset(seed=seed)
        self.np_random.random()
        self.s, self.steps = self._start, 0
        return self.s, self.info()

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        """One step, drawn from the model."""
        action = int(action)
        if not 0 <= action < self.num_actions:
            raise ValueError(f"action: expected 0 to {self.num_actions - 1}, got {action}")
        drawn = int(np.argmax(self._cumulative[self.s, action] > self.np_random.random()))
        _, self.s, reward, terminated = self.P[self.s][action][drawn]
        self.steps += 1
        return self.s, reward, terminated, False, self.info()

    def info(self) -> dict[str, Any]:
        """What the last step said beside the observation, or the reset."""
        return {}

    def put(self, state: int, start: int, steps: int) -> None:
        """Put the environment where an episode has brought it: for engines that step elsewhere."""
        self.s, self.steps = state, steps


class RandomWalkEnv(FiniteEnv):
    """States in a row, with an end on either side (Sutton & Barto, Examples 6.2 and 7.1).

    ## Description
    The walk begins in the middle. The examples predict the values of the policy that goes left and right equally often.

    ## Actions
    `Discrete(2)`: 0 left, 1 right.

    ## Observations
    `Discrete(states + 2)`: the state; 0 and states + 1 are the ends.

    ## Rewards
    `left_reward` on reaching the left end, `right_reward` on reaching the right one, else 0.

    ## Start
    The state in the middle (of an even number, the left one of the two).

    ## Termination
    Either end is reached.

    ## Truncation
    None.

    ## Arguments
    - `states=5`: how many states there are between the ends; 5 in Example 6.2, 19 in Example 7.1.
    - `left_reward=0.0`, `right_reward=1.0`: Example 7.1 has -1 on the left.

    ## Version history
    - v0: first version.
    """

    @checked
    def __init__(
        self,
        states: Annotated[int, Field(ge=1, le=100_000)] = 5,
        left_reward: float = 0.0,
        right_reward: float = 1.0,
    ) -> None:
        ends = {0: float(left_reward), states + 1: float(right_reward)}
        model: Model = {}
        for state in range(states + 2):
            model[state] = {}
            for action, change in enumerate((-1, 1)):
                reached = state + change
                model[state][action] = [(1.0, reached, ends.get(reached, 0.0), reached in ends)]
                if state in ends:
                    model[state][action] = [(1.0, state, 0.0, True)]
        super().__init__(model, (states + 1) // 2)


class MaximizationBiasEnv(FiniteEnv):
    """Two choices, of which the worse looks better to whoever takes the largest of noisy values (Example 6.7).

    ## Description
    From A, right ends the episode at once; left leads to B, from where every action ends it with a reward that is noise
    around a mean below 0. Going left is wrong on average.

    ## Actions
    `Discrete(actions)`. In A the even ones go right, the odd ones left; `info["action_mask"]` has 1 for the two
    (0 right, 1 left) that the book has, so that an agent that minds it meets the book's problem exactly. In B all end
    the episode.

    ## Observations
    `Discrete(3)`: 0 is A, 1 is B, 2 the end.

    ## Rewards
    0 from A; from B a normal distribution with mean `mean` and standard deviation 1, in 100 equally likely values (the
    middles of its percentiles, scaled to that deviation), so that the model is finite and exact.

    ## Start
    A.

    ## Termination
    Right from A, and every action from B.

    ## Truncation
    None.

    ## Arguments
    - `actions=10`: how many there are in B, at least 2. The book says many; its Figure 6.5 does not say how many.
    - `mean=-0.1`: the mean reward from B.

    ## Version history
    - v0: first version.
    """

    @checked
    def __init__(self, actions: Annotated[int, Field(ge=2, le=10_000)] = 10, mean: float = -0.1) -> None:
        middles = np.array([NormalDist().inv_cdf((percentile + 0.5) / 100) for percentile in range(100)])
        rewards = [float(mean + middle) for middle in middles / middles.std()]
        model: Model = {0: {}, 1: {}, 2: {}}
        for action in range(actions):
            model[0][action] = [(1.0, 1, 0.0, False)] if action % 2 else [(1.0, 2, 0.0, True)]
            model[1][action] = [(0.01, 2, reward, True) for reward in rewards]
            model[2][action] = [(1.0, 2, 0.0, True)]
        super().__init__(model, 0)

    def info(self) -> dict[str, Any]:
        """Which actions the book has in this state: `action_mask`; and whether the worse way was taken: `left`."""
        mask = np.ones(self.num_actions, dtype=np.int8)
        if self.s == 0:
            mask[2:] = 0
        return {"action_mask": mask, "left": self.s == 1 or self.steps == 2}
