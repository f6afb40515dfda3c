"""Wall-clock times of a run, as its checkpoint keeps them: apart, since they are no result."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from pydantic import JsonValue

from experiments.runs.csv_log import LogOffset


@dataclass(frozen=True)
class Timing:
    """Wall-clock times of a run; they are no result, and may begin anew."""

    seconds: float = 0.0
    evaluation_seconds: float = 0.0
    log: LogOffset | None = None  # of timing.csv

    def to_json(self) -> dict[str, JsonValue]:
        """For the checkpoint."""
        logs: dict[str, JsonValue] = {} if self.log is None else {"timing.csv": self.log.model_dump()}
        return {"seconds": self.seconds, "evaluation": self.evaluation_seconds, "logs": logs}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """What `to_json` gave; times that are damaged begin anew."""
        try:
            log = values.get("logs", {}).get("timing.csv")
            offset = None if log is None else LogOffset.model_validate(log)
            return cls(float(values["seconds"]), float(values["evaluation"]), offset)
        except (LookupError, TypeError, ValueError, AttributeError):
            return cls()
