"""What a checkpoint holds of a run beside its agent."""

from dataclasses import dataclass, field
from typing import Self

from pydantic import ValidationError

from agents.storage import State
from experiments.errors import InputError, explain
from experiments.runs.checkpoint import CheckpointFolder
from experiments.runs.csv_log import LogOffset
from experiments.runs.timing import Timing
from experiments.specs.spec import Budget


@dataclass(frozen=True)
class RunState:
    """Where a run is: counts, how long its logs are, and where its environment is."""

    env_step: int
    episodes: int
    logs: dict[str, LogOffset]  # by file name
    budget: Budget
    spent: bool  # is the budget used up?
    environment: State  # see `agents.env_snapshot.get_env_state`
    env_snapshot: State | None = None  # within an episode: what the agent needs to go on there
    snapshots: State = field(default_factory=dict)  # see `experiments.runs.snapshots`

    def to_state(self) -> State:
        """As arrays and JSON values."""
        state: State = {
            "env_step": self.env_step,
            "episodes": self.episodes,
            "logs": {name: offset.model_dump() for name, offset in self.logs.items()},
            "budget": self.budget.model_dump(exclude_none=True),
            "spent": self.spent,
            "environment": self.environment,
            "snapshots": self.snapshots,
        }
        return state | ({} if self.env_snapshot is None else {"position": self.env_snapshot})

    @classmethod
    def from_state(cls, state: State) -> Self:
        """What `to_state` gave.

        Raises:
            InputError: it is not what `to_state` gives.
        """
        try:
            return cls(
                env_step=int(state["env_step"]),
                episodes=int(state["episodes"]),
                logs={str(name): LogOffset.model_validate(one) for name, one in state["logs"].items()},
                budget=Budget.model_validate(state["budget"]),
                spent=bool(state["spent"]),
                environment=dict(state["environment"]),
                env_snapshot=state.get("position"),
                snapshots=dict(state["snapshots"]),
            )
        except ValidationError as error:
            raise InputError(f"damaged: {explain(error)}") from error
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"damaged: {error!r}") from error


@dataclass(frozen=True)
class Saved:
    """A checkpoint that has been read."""

    state: RunState
    timing: Timing


def read_checkpoint(checkpoint: CheckpointFolder) -> Saved:
    """The run's part of a checkpoint, after every file was checked.

    Raises:
        InputError: there is none, or a file is missing or damaged.
    """
    state, timing = checkpoint.read()
    try:
        return Saved(RunState.from_state(state), Timing.from_json(timing))
    except InputError as error:
        raise InputError(f"{checkpoint.path}: {error}") from error
