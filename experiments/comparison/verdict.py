"""Two agents against each other: probability of improvement, test, effect sizes, and a verdict."""

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from experiments.comparison import bootstrap, permutation
from experiments.comparison.bootstrap import FloatArray
from experiments.comparison.summary import Record, as_values

Pair = dict[str, Any]
Records = Mapping[tuple[str, str], Record]  # (environment, agent) -> record
DECIDED = ("better", "worse")


def make_pairs(agents: Sequence[str], records: Records, references: Collection[str] = ()) -> list[Pair]:
    """Every two agents on the environments in which both have finished runs; two references are not compared.

    The tests of all pairs are one family for Holm's correction; those on single environments are another.
    """
    pairs = []
    for x, y in combinations(agents, 2):
        if x in references and y in references:
            continue
        envs = [env for env, agent in records if agent == x and (env, y) in records]
        if envs:
            pairs.append(_pair(x, y, envs, records))
    _judge(pairs)
    if len({env for pair in pairs for env in pair["envs"]}) > 1:
        for pair in pairs:
            pair["by_env"] = [_pair(pair["x"], pair["y"], [env], records) for env in pair["envs"]]
        _judge([single for pair in pairs for single in pair["by_env"]])
    return pairs


def _pair(x: str, y: str, envs: list[str], records: Records) -> Pair:
    of_x, of_y = ([records[env, agent] for env in envs] for agent in (x, y))
    xs, ys = ([np.array(record["scores"]) for record in side] for side in (of_x, of_y))
    runs = [len(one) for one in xs], [len(one) for one in ys]
    improvement = bootstrap.improvement(xs, ys)
    effect = permutation.cohens_d_interval(xs[0], ys[0]) if len(envs) == 1 else None
    return {
        "x": x,
        "y": y,
        "envs": envs,
        "runs_x": sum(runs[0]),
        "runs_y": sum(runs[1]),
        "runs_each": sorted({*runs[0], *runs[1]}),
        **as_values("probability_of_improvement", "interval", improvement),
        "p": permutation.permutation_p(xs, ys),
        "smallest_p": permutation.smallest_p(*runs),
        "cliffs_delta": 2 * improvement.value - 1,
        "cliffs_delta_interval": [2 * improvement.low - 1, 2 * improvement.high - 1],
        **({"cohens_d": None, "cohens_d_interval": None} if effect is None
           else as_values("cohens_d", "cohens_d_interval", effect)),
        "paired_difference": _paired(of_x, of_y),
        "budgets_differ": any(one["budget"] != other["budget"] for one, other in zip(of_x, of_y, strict=True)),
        "runs": list(zip(*runs, strict=True)),
    }  # fmt: skip


def _paired(of_x: list[Record], of_y: list[Record]) -> dict[str, Any] | None:
    """The mean difference of runs with the same seed, judged on the same episodes; over several tasks, normalised."""
    several = len(of_x) > 1
    differences: list[FloatArray] = []
    for one, other in zip(of_x, of_y, strict=True):
        if (
            one["evaluation"]["seed"] is None
            or other["evaluation"]["seed"] is None
            or one["measure"] != other["measure"]
        ):
            return None
        sides = []
        for record in (one, other):
            scores = record["normalised"]["scores"] if several and record["normalised"] else record["scores"]
            if several and not record["normalised"]:
                return None
            sides.append(dict(zip(record["seeds"], scores, strict=True)))
        common = sorted(sides[0].keys() & sides[1].keys())
        if len(common) < 2:
            return None
        differences.append(np.array([sides[0][seed] - sides[1][seed] for seed in common]))
    return {
        **as_values("mean", "interval", bootstrap.paired_difference(differences)),
        "unit": "normalised score" if several else "score",
        "seeds": min(len(one) for one in differences),
    }


def _judge(pairs: list[Pair]) -> None:
    """Add p after Holm's correction over all of these, and the verdicts."""
    p_values = [pair["p"] for pair in pairs]
    for index, (pair, p) in enumerate(zip(pairs, permutation.holm(p_values), strict=True)):
        # Holm multiplies the smallest p by the number of tests, the next by one less, ...: at best, this one's is
        # multiplied by the number of tests whose p is not below the smallest that its runs can give.
        others = p_values[:index] + p_values[index + 1 :]
        pair["multiplier"] = 1 + sum(other >= pair["smallest_p"] for other in others)
        pair["p_holm"], pair["tests"] = p, len(pairs)
        pair["verdict"], pair["reason"] = _verdict(pair)


def _verdict(pair: Pair) -> tuple[str, str]:
    """ "better", "worse", "undecided" or "too few seeds", and why."""
    low, high = pair["interval"]
    if pair["p_holm"] < permutation.ALPHA and not low <= 0.5 <= high:
        return ("better" if low > 0.5 else "worse"), f"{p_text(pair['p_holm'])} after Holm's correction"
    times = pair["multiplier"]
    if pair["smallest_p"] * times >= permutation.ALPHA:
        needed = pair["seeds_needed"] = permutation.seeds_that_could_decide(pair["runs"], times)
        return "too few seeds", (
            f"the smallest p that they can give is {pair['smallest_p']:.2g}, times {times} "
            f"pair{'s' if times > 1 else ''}; {needed} seeds on each side could decide"
        )
    reason = f"{p_text(pair['p_holm'])} after Holm's correction"
    wanted = permutation.seeds_for_power(pair["cohens_d"] or 0.0, pair["tests"])
    if wanted and wanted > max(pair["runs_each"]):
        pair["seeds_needed"] = wanted
        reason += f"; about {wanted:,} seeds on each side would see a difference of this size"
    return "undecided", reason


def p_text(p: float) -> str:
    """Such as "p = 0.012" or "p < 0.0001"."""
    return "p < 0.0001" if p < 1e-4 else f"p = {p:.2g}"


def sentence(pair: Pair) -> str:
    """The verdict in words, and those on single environments that differ from it."""
    low, high = pair["interval"]
    probability = pair["probability_of_improvement"]
    where = pair["envs"][0] if len(pair["envs"]) == 1 else f"{len(pair['envs'])} environments"
    x, y, verdict = pair["x"], pair["y"], pair["verdict"]
    if verdict == "worse":  # said the other way round: the better one first
        x, y, probability, low, high = y, x, 1 - probability, 1 - high, 1 - low
    if verdict == "too few seeds":
        return f"{x} against {y} on {where}: too few seeds ({pair['reason']})" + _by_env(pair)
    each = pair["runs_each"]
    runs = f"n = {each[0]}" if len(each) == 1 else f"n = {each[0]} to {each[-1]}"
    runs += " in each" if len(pair["envs"]) > 1 else ""
    runs += ", trained for different budgets" if pair["budgets_differ"] else ""
    improvement = f"probability of improvement {probability:.2f} [{low:.2f}, {high:.2f}]"
    numbers = f"({improvement}, {pair['reason']}, {runs})"
    if verdict in DECIDED:
        return f"{x} is better than {y} on {where} {numbers}" + _by_env(pair)
    return f"{x} against {y} on {where}: {verdict} {numbers}" + _by_env(pair)


def _by_env(pair: Pair) -> str:
    """Such as "; by environment: better on maze; undecided on lander"."""
    groups: dict[str, list[str]] = {}
    needed: dict[str, int] = {}
    turned = {"better": "worse", "worse": "better"} if pair["verdict"] == "worse" else {}
    for single in pair.get("by_env", []):
        verdict = turned.get(single["verdict"], single["verdict"])
        groups.setdefault(verdict, []).append(single["envs"][0])
        needed[verdict] = max(needed.get(verdict, 0), single.get("seeds_needed", 0))
    if len(pair["envs"]) < 2:
        return ""
    words = {"too few seeds": " ({:,} could decide)", "undecided": " (up to {:,} seeds would see such differences)"}
    parts = []
    for verdict, envs in groups.items():
        note = words[verdict].format(needed[verdict]) if needed[verdict] and verdict in words else ""
        parts.append(f"{verdict}{note} on {_shortened(envs, len(pair['envs']))}")
    return "; by environment: " + "; ".join(parts) if parts else ""


def _shortened(envs: list[str], of: int) -> str:
    return "each" if len(envs) == of else ", ".join(envs)
