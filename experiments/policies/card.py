"""What an exported policy says of itself: where it comes from, what it is worth, what it has seen."""

import json
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from experiments.errors import InputError, explain, located
from experiments.runs.manifest import Manifest, parse_manifest

Kind = Literal["table", "network"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Seen(_Record):
    """What the policy met when it was exported, half of it under its own actions, half under random ones."""

    observations: int
    low: list[float] | None  # [D] the least of each number of an observation; None of kinds that have none
    high: list[float] | None  # [D]
    action_shares: list[float] | None  # [A] of its own play; None of actions that are not discrete


class Score(_Record):
    """The run's final score, with a 95% bootstrap interval of its episodes: of this one run, not of its agent."""

    measure: str  # "return" or "-steps"
    mean: float
    low: float
    high: float
    episodes: int


class Parity(_Record):
    """How the file was compared with the run that it comes from."""

    observations: int
    largest_difference: float  # of action values, or of continuous actions; 0 of tables
    near_ties: int  # observations where another action was chosen, whose value is the same but for rounding


class PolicyCard(_Record):
    """All of it."""

    format: Literal["rl-lab-policy-1"] = "rl-lab-policy-1"
    kind: Kind
    made_with: dict[str, str]  # versions of what wrote the file
    run: dict[str, JsonValue]  # the run.json that it comes from
    at: int | None = None  # env steps after which the policy was as it is here; None: after all of the run's
    seen: Seen
    score: Score | None = None
    parity: Parity | None = None

    @property
    def env_steps(self) -> int:
        """So many the policy has learned from."""
        return (self.manifest.env_steps or 0) if self.at is None else self.at

    @cached_property
    def manifest(self) -> Manifest:
        """The run's manifest."""
        return parse_manifest(json.dumps(self.run).encode(), Path("the policy's run.json"))


def parse_card(text: str, place: str) -> PolicyCard:
    """The card in a file.

    Raises:
        InputError: it is damaged, or of a format that this version does not know.
    """
    try:
        card = PolicyCard.model_validate_json(text)
    except ValidationError as error:
        raise InputError(f"{place}: damaged: expected the card of an exported policy: {explain(error)}") from None
    with located(place):
        card.manifest  # noqa: B018  it is sound, or says how not
    return card


def markdown(card: PolicyCard, name: str) -> str:
    """The card for people to read."""
    manifest = card.manifest
    run_spec, seeds = manifest.run_spec, manifest.seeds
    settings = "\n".join(f"| `{key}` | `{value}` |" for key, value in manifest.agent_settings.items())
    seen, score = card.seen, card.score
    lines = [
        f"# {name}",
        "",
        f"The greedy policy of `{run_spec.agent.label}` (`{run_spec.agent.id}`) in `{run_spec.env.label}` "
        f"(`{run_spec.env.id}`), trained for {card.env_steps:,} env steps with seed {run_spec.seed}.",
        "",
    ]
    if card.at is not None:
        lines.append(
            f"It is a moment of a training of {manifest.env_steps or 0:,} env steps, and was not judged itself."
        )
    if score is not None:
        ends = f"[{score.low:.4g}, {score.high:.4g}]"
        lines.append(
            f"**Score**: {score.mean:.4g} {ends} ({score.measure}, mean of {score.episodes} greedy episodes that "
            "training did not see, 95% bootstrap interval of the episodes). It is one run's: another seed of the same "
            "agent may be worth more or less."
        )
        if run_spec.evaluation.purpose == "tuning":
            lines.append("A search chose its settings by these very episodes: on others it may be worth less.")
    if card.parity is not None:
        lines += [
            "",
            f"**Equal to its run** on {card.parity.observations:,} observations (largest difference of values "
            f"{card.parity.largest_difference:.2g}, {card.parity.near_ties} ties broken otherwise).",
        ]
    lines += [
        "",
        "**Limits**: it was trained and judged in this environment with these options alone. What it does outside the "
        "ranges below is not known; a server counts such observations.",
        "",
        "| number | least seen | greatest seen |",
        "|---|---|---|",
        *(f"| {i} | {low:.6g} | {high:.6g} |" for i, (low, high) in enumerate(_ranges(seen))),
        "",
        f"(of {seen.observations:,} observations, half under its own actions, half under random ones)",
        "",
        "## Made from",
        "",
        f"Environment options: `{run_spec.env.settings or 'as they are'}`. Evaluation: seed "
        f"{run_spec.evaluation.seed}, {run_spec.evaluation.final_episodes} episodes. Run seed {run_spec.seed}"
        f"{f', streams {seeds.streams}' if seeds is not None else ''}.",
        "",
        "| setting | value |",
        "|---|---|",
        settings,
        "",
    ]
    return "\n".join(lines)


def _ranges(seen: Seen) -> list[tuple[float, float]]:
    return [] if seen.low is None or seen.high is None else list(zip(seen.low, seen.high, strict=True))


def to_json(card: PolicyCard) -> str:
    """The card as it stands in a file."""
    values: dict[str, Any] = card.model_dump(mode="json")
    return json.dumps(values, sort_keys=True)
