"""A verdict in words."""

from experiments.comparison.pair import AgentPair


def sentence(pair: AgentPair) -> str:
    """The verdict in words, and those on single environments that differ from it."""
    probability, low, high = pair.evidence.improvement
    where = pair.envs[0] if len(pair.envs) == 1 else f"{len(pair.envs)} environments"
    x, y, word, reason = pair.x, pair.y, pair.verdict.word, pair.verdict.reason
    if word == "worse":  # said the other way round: the better one first
        x, y, probability, low, high = y, x, 1 - probability, 1 - high, 1 - low
    if word == "too few seeds":
        return f"{x} against {y} on {where}: too few seeds ({reason})" + _by_env(pair)
    each = pair.evidence.runs_each
    runs = f"n = {each[0]}" if len(each) == 1 else f"n = {each[0]} to {each[-1]}"
    runs += " in each" if len(pair.envs) > 1 else ""
    runs += ", trained for different budgets" if pair.evidence.budgets_differ else ""
    improvement = f"probability of improvement {probability:.2f} [{low:.2f}, {high:.2f}]"
    numbers = f"({improvement}, {reason}, {runs})"
    if pair.verdict.decided:
        return f"{x} is better than {y} on {where} {numbers}" + _by_env(pair)
    return f"{x} against {y} on {where}: {word} {numbers}" + _by_env(pair)


def _by_env(pair: AgentPair) -> str:
    """Such as "; by environment: better on maze; undecided on lander"."""
    if len(pair.envs) < 2:
        return ""
    groups: dict[str, list[str]] = {}
    needed: dict[str, int] = {}
    turned = {"better": "worse", "worse": "better"} if pair.verdict.word == "worse" else {}
    for single in pair.by_env or []:
        word = turned.get(single.verdict.word, single.verdict.word)
        groups.setdefault(word, []).append(single.envs[0])
        needed[word] = max(needed.get(word, 0), single.verdict.seeds_needed or 0)
    words = {"too few seeds": " ({:,} could decide)", "undecided": " (up to {:,} seeds would see such differences)"}
    parts = []
    for word, envs in groups.items():
        note = words[word].format(needed[word]) if needed[word] and word in words else ""
        parts.append(f"{word}{note} on {_shortened(envs, len(pair.envs))}")
    return "; by environment: " + "; ".join(parts) if parts else ""


def _shortened(envs: list[str], of: int) -> str:
    return "each" if len(envs) == of else ", ".join(envs)
