"""Two agents against each other: the evidence, the verdict, and the same in each environment."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from experiments.comparison.evidence import Evidence, gather
from experiments.comparison.summary import AgentSummary
from experiments.comparison.verdict import Verdict, judge

Summaries = Mapping[tuple[str, str], AgentSummary]  # (environment, agent) -> summary


@dataclass(frozen=True)
class AgentPair:
    """Agent x against agent y in the environments in which both have finished runs."""

    x: str  # labels
    y: str
    envs: list[str]
    evidence: Evidence
    verdict: Verdict
    by_env: "list[AgentPair] | None" = None  # in each environment alone; None where all pairs are in the same one

    def to_json(self) -> dict[str, Any]:
        """A pair of results.json."""
        values = {"x": self.x, "y": self.y, "envs": self.envs, **self.evidence.to_json(), **self.verdict.to_json()}
        return values if self.by_env is None else values | {"by_env": [single.to_json() for single in self.by_env]}


def make_pairs(
    agents: Sequence[str],
    summaries: Summaries,
    bundled: Collection[str] = (),
    against: str | None = None,
    tests: int = 0,
) -> list[AgentPair]:
    """Two agents each on the environments in which both have finished runs; two bundled ones are not compared.

    The tests of all pairs are one family for Holm's correction; those on single environments are another.

    Args:
        agents: their labels.
        summaries: of what they came to.
        bundled: those of them whose results are bundled.
        against: the agent that the others are compared with; None: every two.
        tests: how many tests the family has at least: more than the pairs where `against` was chosen by its scores.
    """
    places = []
    for x, y in combinations(agents, 2):
        if (x in bundled and y in bundled) or (against is not None and against not in (x, y)):
            continue
        envs = [env for env, agent in summaries if agent == x and (env, y) in summaries]
        if envs:
            places.append((x, y, envs))
    if len({env for _, _, envs in places for env in envs}) < 2:
        return _family(places, summaries, tests)
    each = [(x, y, [env]) for x, y, envs in places for env in envs]
    singles = iter(_family(each, summaries, tests * len(each) // max(1, len(places))))
    by_env = [[next(singles) for _ in envs] for _, _, envs in places]
    return _family(places, summaries, tests, by_env)


def _family(
    places: Sequence[tuple[str, str, list[str]]],
    summaries: Summaries,
    tests: int,
    by_env: Sequence[list[AgentPair]] | None = None,
) -> list[AgentPair]:
    """The pairs (x, y, environments), whose tests are one family."""
    evidence = [
        gather([summaries[env, x] for env in envs], [summaries[env, y] for env in envs]) for x, y, envs in places
    ]
    verdicts = judge(evidence, max(tests, len(places)))
    return [
        AgentPair(*place, found, verdict, None if by_env is None else by_env[index])
        for index, (place, found, verdict) in enumerate(zip(places, evidence, verdicts, strict=True))
    ]
