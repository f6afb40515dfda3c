"""A recording: scenes, and the episodes that runs' agents played in them, at one or more moments of their training."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from agents.base import Agent
from agents.policy import FunctionPolicy, Policy, batch_of
from envs.action_names import action_names
from envs.mazes.env import MazeEnv
from experiments.evaluation.environments import closing
from experiments.evaluation.rollout import Step, rollout, succeeded
from experiments.recording.packing import packed_values
from experiments.recording.scenes import (
    MOST_STATES,
    MazeScene,
    PictureScene,
    Scene,
    draws_itself,
    greedy_text,
    scene_of,
)
from experiments.rendering.frames import frames_per_second
from experiments.runs.open_run import OpenRun

FORMAT, VERSION = "rl-lab recording", 1
MOST_STEPS = 20_000  # of an episode
MOST_NUMBERS = 24  # of an observation that is told
BRIEF = 300  # steps of an episode that shows a moment before the last

Json = dict[str, Any]


@dataclass(frozen=True)
class Episode:
    """One greedy episode: T steps."""

    seed: int
    scene: int  # its number among the recording's
    states: str  # T + 1, as the scene packs them
    actions: list[Any]  # T
    rewards: list[float]  # T
    observations: Json | None  # [T + 1, D] packed, of vectors that are told by no state; with `size`, which is D
    values: Json | None  # [T, A] packed, of the actions in each state; None where `Moment.beliefs` tells, or nobody
    end: str  # "terminated", "truncated" or "cut": it goes on
    success: bool | None

    def to_json(self) -> Json:
        """With rewards that are all one as that number, and actions of up to ten as digits."""
        rewards: Any = [_short(reward) for reward in self.rewards]
        if len(set(rewards)) == 1:
            rewards = rewards[0]
        actions: Any = self.actions
        if all(isinstance(action, int) and 0 <= action < 10 for action in actions):
            actions = "".join(map(str, actions))
        return {
            "seed": self.seed,
            "scene": self.scene,
            "length": len(self.rewards),
            "states": self.states,
            "actions": actions,
            "rewards": rewards,
            "observations": self.observations,
            "values": self.values,
            "end": self.end,
            "success": self.success,
        }


@dataclass(frozen=True)
class Moment:
    """An agent at a moment of its training."""

    env_step: int | None  # env steps that it had trained; None: it does not train
    episodes: list[Episode]
    beliefs: dict[int, Json] = field(default_factory=dict)  # of a maze's scene: Q [S, 4] packed, and greedy actions

    def to_json(self) -> Json:
        """Beliefs by the scenes' numbers."""
        return {
            "env_step": self.env_step,
            "beliefs": {str(scene): belief for scene, belief in self.beliefs.items()},
            "episodes": [episode.to_json() for episode in self.episodes],
        }


@dataclass(frozen=True)
class Track:
    """One run's, or the optimum's."""

    label: str
    kind: str  # "agent" or "optimum"
    moments: list[Moment]

    def to_json(self) -> Json:
        """As it stands."""
        return {"label": self.label, "kind": self.kind, "moments": [moment.to_json() for moment in self.moments]}


@dataclass(frozen=True)
class Recording:
    """All of it (the format is documented in docs/recordings.md)."""

    title: str
    fps: float
    actions: list[str]  # their names; empty where they are no few
    scenes: list[Scene]
    tracks: list[Track]

    def to_json(self) -> Json:
        """What a player reads."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "title": self.title,
            "fps": self.fps,
            "actions": self.actions,
            "scenes": [scene.to_json() for scene in self.scenes],
            "tracks": [track.to_json() for track in self.tracks],
        }


class Recorder:
    """Plays episodes of runs' agents and writes down what happens; equal scenes are one."""

    def __init__(self) -> None:
        self.scenes: list[Scene] = []
        self.tracks: list[Track] = []
        self._known: dict[str, int] = {}
        self._titles: list[str] = []
        self._fps = 0.0
        self._actions: list[str] | None = None

    def add(
        self,
        opened: OpenRun,
        agents: Sequence[tuple[int | None, Agent]],
        seeds: Sequence[int],
        *,
        optimum: bool = False,
    ) -> None:
        """Add a run's track.

        Args:
            opened: the run.
            agents: its agent at moments of the training, the last one last; each with its env step.
            seeds: of the episodes.
            optimum: add the optimum's track too, where it is known and not there yet.
        """
        with closing(recording_env(opened)) as env:
            self._titles.append(opened.run_spec.env.label)
            self._fps = self._fps or frames_per_second(env)
            names = action_names(env)
            self._actions = names if self._actions in (None, names) else []
            last = len(agents) - 1
            moments = [
                self._moment(step, agent, env, seeds, None if number == last else BRIEF)
                for number, (step, agent) in enumerate(agents)
            ]
            self.tracks.append(Track(opened.whose, "agent", moments))
            if optimum and not any(track.kind == "optimum" for track in self.tracks):
                episodes = list(self._of_the_optimum(env, seeds, _discount(agents[-1][1])))
                if episodes:
                    self.tracks.append(Track("optimum", "optimum", [Moment(None, episodes)]))

    def recording(self) -> Recording:
        """What was recorded."""
        title = ", ".join(dict.fromkeys(self._titles))
        optima = [track for track in self.tracks if track.kind == "optimum"]
        tracks = [track for track in self.tracks if track.kind != "optimum"] + optima
        return Recording(title, self._fps, self._actions or [], self.scenes, tracks)

    def _moment(
        self, env_step: int | None, agent: Agent, env: gym.Env[Any, Any], seeds: Sequence[int], most: int | None
    ) -> Moment:
        beliefs: dict[int, Json] = {}
        episodes = []
        for seed in seeds:
            episode = self._episode(agent.policy(seed), env, seed, most, _discount(agent))
            episodes.append(episode)
            if isinstance(self.scenes[episode.scene], MazeScene) and episode.scene not in beliefs:
                belief = _belief(agent, env)
                if belief is not None:
                    beliefs[episode.scene] = belief
        if beliefs:  # they tell the values of every state
            episodes = [replace(episode, values=None) if episode.scene in beliefs else episode for episode in episodes]
        return Moment(env_step, episodes, beliefs)

    def _of_the_optimum(self, env: gym.Env[Any, Any], seeds: Sequence[int], discount: float) -> Iterator[Episode]:
        base: Any = env.unwrapped
        for seed in seeds:
            env.reset(seed=seed)
            scene = scene_of(env, discount)
            if not isinstance(scene, MazeScene) or scene.optimal is None:
                return
            yield self._episode(_best_of(scene.optimal, base), env, seed, None, discount)

    def _episode(self, policy: Policy, env: gym.Env[Any, Any], seed: int, most: int | None, discount: float) -> Episode:
        scene: Scene | None = None
        states, actions, rewards, values, observations = [], [], [], [], []
        size = _size_of_vectors(env)
        knows = True
        step: Step | None = None
        for step in rollout(policy, env, seed):
            scene = scene or scene_of(env, discount)
            states.append(scene.look(env))
            if size:
                observations.append(np.asarray(step.observation, dtype=float))
            if step.action is not None:
                actions.append(np.asarray(step.action).tolist())
                rewards.append(step.reward)
            if step.length >= min(most or MOST_STEPS, MOST_STEPS):
                break
            if knows and not step.over:
                opinion = policy.action_values(batch_of([step.observation]))
                knows = opinion is not None
                if opinion is not None:
                    values.append(opinion[0])
        assert step is not None
        assert scene is not None
        end = "terminated" if step.terminated else "truncated" if step.truncated else "cut"
        return Episode(
            seed=seed,
            scene=self._number(scene),
            states=scene.packed(states),
            actions=actions,
            rewards=rewards,
            observations={**packed_values(np.array(observations)), "size": size} if size else None,
            values=packed_values(np.array(values, dtype=float)) if values else None,
            end=end,
            success=succeeded(step, env) if step.over else None,
        )

    def _number(self, scene: Scene) -> int:
        """The number of a scene, which joins the others if it is not there yet; every film has its own pictures."""
        key = str(id(scene)) if isinstance(scene, PictureScene) else json.dumps(scene.to_json())
        if key not in self._known:
            self._known[key] = len(self.scenes)
            self.scenes.append(scene)
        return self._known[key]


def recording_env(opened: OpenRun) -> gym.Env[Any, Any]:
    """The environment that a run is recorded in: with pictures only where its scene cannot be told without."""
    env = opened.make_env()
    if draws_itself(env) or "rgb_array" not in (env.metadata.get("render_modes") or []):
        return env
    env.close()
    return opened.make_env("rgb_array")


def _best_of(q_values: NDArray[np.float64], maze: Any) -> Policy:
    """The policy that is greedy in a table [S, A] of the maze's states, whatever is observed."""
    best = np.argmax(q_values, axis=1)
    return FunctionPolicy(lambda observation, mask: int(best[maze.s]))


def _belief(agent: Agent, env: gym.Env[Any, Any]) -> Json | None:
    """What an agent thinks of every state of the maze that the environment is in; None where that is not known."""
    maze = env.unwrapped
    if not isinstance(maze, MazeEnv) or env.observation_space != maze.observation_space:
        return None
    num_states = len(maze.tables.ends)
    if num_states > MOST_STATES:
        return None
    values = agent.policy(0).action_values(batch_of([maze.observe(state) for state in range(num_states)]))
    if values is None or values.shape != (num_states, 4):
        return None
    over = maze.tables.ends != 0
    known = values.astype(float)
    known[over] = np.nan
    return {**packed_values(known), "greedy": greedy_text(known)}


def _size_of_vectors(env: gym.Env[Any, Any]) -> int:
    """The length of the observations, where these are vectors of a few numbers; of mazes 0: a state tells them."""
    space = env.observation_space
    if isinstance(env.unwrapped, MazeEnv) or not isinstance(space, gym.spaces.Box) or len(space.shape) != 1:
        return 0
    return space.shape[0] if space.shape[0] <= MOST_NUMBERS else 0


def _discount(agent: Agent) -> float:
    return float(getattr(agent.settings, "discount", 1.0))


def _short(reward: float) -> float | int:
    """A reward in few digits."""
    rounded = round(float(reward), 4)
    return int(rounded) if rounded == int(rounded) else rounded
