"""The logs of a run, as they are written."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agents.base import Agent, Episode
from experiments.errors import shown
from experiments.evaluation.rollout import EvaluationEpisode
from experiments.runs.csv_log import Cell, CsvLog, LogOffset
from experiments.runs.run_folder import (
    ENDINGS,
    EPISODES,
    EPISODES_LOG,
    EVALUATIONS,
    EVALUATIONS_LOG,
    INFO,
    INFO_LOG,
    LEARNING,
    LEARNING_LOG,
    TIMING,
    TIMING_LOG,
)


class RunLogs:
    """The logs of one run.

    Which columns episodes.csv has is known after the first evaluation (see `open_episodes`), and never changes: what an
    environment reports later under other names goes into info.csv.

    Args:
        folder: the run's.
        agent: the agent that trains.
        offsets: of the logs when the checkpoint was written that the run goes on from; none: they begin anew.
        timing: that of timing.csv, which is no result and may begin anew.
    """

    def __init__(self, folder: Path, agent: Agent, offsets: Mapping[str, LogOffset], timing: LogOffset | None) -> None:
        self._folder, self._agent, self._offsets = folder, agent, offsets
        self._logs: dict[str, CsvLog] = {}
        self._open(EVALUATIONS_LOG, (*EVALUATIONS, *ENDINGS))
        self._logs[TIMING_LOG] = CsvLog(folder / TIMING_LOG, TIMING, timing)
        if agent.learning_names:
            self._open(LEARNING_LOG, (*LEARNING, *agent.learning_names))
        if INFO_LOG in offsets:
            self._open(INFO_LOG, INFO)
        elif offsets:
            (folder / INFO_LOG).unlink(missing_ok=True)  # it was begun after the checkpoint
        self._info_columns: list[str] = []

    def _open(self, name: str, columns: Sequence[str]) -> CsvLog:
        log = self._logs[name] = CsvLog(self._folder / name, columns, self._offsets.get(name))
        return log

    def open_episodes(self, info_columns: Sequence[str]) -> None:
        """Open episodes.csv, whose last columns are what the environment reports."""
        self._info_columns = list(info_columns)
        self._open(EPISODES_LOG, (*EPISODES, *self._agent.metric_names, *info_columns))

    @property
    def columns(self) -> dict[str, list[str]]:
        """Those of the logs whose columns depend on the run."""
        return {name: log.columns for name, log in self._logs.items() if name in (EPISODES_LOG, LEARNING_LOG)}

    def episode(self, number: int, env_step: int, episode: Episode, metrics: Mapping[str, float]) -> None:
        """A training episode."""
        reported = numbers_of(episode.info)
        row: dict[str, Cell] = {key: reported.get(key) for key in self._info_columns}
        row |= {"episode": number, "env_step": env_step, "return": episode.total_reward, "length": episode.length}
        row |= {"epsilon": episode.epsilon, "td_error": episode.td_error}
        self._logs[EPISODES_LOG].append(row | dict(metrics))
        for key, value in reported.items():
            if key not in self._info_columns:
                log = self._logs.get(INFO_LOG) or self._open(INFO_LOG, INFO)
                log.append({"episode": number, "key": key, "value": value})

    def evaluation(self, env_step: int, phase: str, episode_set: str, episode: EvaluationEpisode) -> None:
        """An evaluation episode."""
        self._logs[EVALUATIONS_LOG].append(
            {
                "env_step": env_step,
                "phase": phase,
                "set": episode_set,
                "episode_seed": episode.seed,
                "return": episode.total_reward,
                "length": episode.length,
                "terminated": episode.terminated,
                "truncated": episode.truncated,
                "success": episode.success,
                "unmet_share": episode.unmet_share,
            }
        )

    def learning(self, env_step: int, values: Mapping[str, float]) -> None:
        """What the agent says of its learning."""
        self._logs[LEARNING_LOG].append({"env_step": env_step} | dict(values))

    def timing(self, row: Mapping[str, Cell]) -> None:
        """Wall-clock times; with them, every log reaches the operating system, so that a follower sees its rows."""
        self._logs[TIMING_LOG].append(row)
        self.flush()

    def offsets(self) -> dict[str, LogOffset]:
        """How long every log is."""
        return {name: log.offset() for name, log in self._logs.items()}

    def flush(self, *, sync: bool = False) -> None:
        """Hand the logs to the operating system; with `sync`, have it force them to the disk."""
        for log in self._logs.values():
            log.flush(sync=sync)

    def close(self) -> None:
        """Close them."""
        for log in self._logs.values():
            log.close()


def numbers_of(info: Mapping[str, Any]) -> dict[str, bool | int | float]:
    """The numbers and truth values that an environment reports, but for those that are columns already.

    `is_success` is left out where it stands beside `success`, as another's name for it.
    """
    found: dict[str, bool | int | float] = {}
    for key, value in info.items():
        plain: Any = value.item() if isinstance(value, np.bool_ | np.number) else value
        if key == "is_success" and "success" in info:
            continue
        if isinstance(plain, bool | int | float) and key not in EPISODES:
            found[shown(str(key))] = plain
    return found


def info_columns(episodes: Sequence[EvaluationEpisode]) -> list[str]:
    """The names of what an environment reports at the ends of some episodes, as they first appear."""
    return list(dict.fromkeys(key for episode in episodes for key in numbers_of(episode.info)))
