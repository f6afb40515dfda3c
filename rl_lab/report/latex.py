"""A comparison as a LaTeX table, for booktabs."""

from experiments.comparison.comparison import Comparison
from experiments.comparison.summary import AgentSummary

SPECIAL = {"_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}", "^": r"\^{}",
           "~": r"\~{}", "\\": r"\textbackslash{}"}  # fmt: skip


def latex_table(comparison: Comparison) -> str:
    """IQM with its interval, agents by environments; normalised where the scale is known."""
    summaries, envs, method = comparison.summaries, comparison.envs, comparison.method
    cells = {(one.env, one.agent): one for one in summaries}
    scaled = {env: all(one.normalised for one in comparison.in_env(env) if one.scores) for env in envs}
    lines = [
        "% \\usepackage{booktabs}",
        "\\begin{tabular}{l" + "r" * len(envs) + "}",
        "\\toprule",
        " & ".join(["agent", *(escaped(env) for env in envs)]) + r" \\",
        "\\midrule",
    ]
    for agent in comparison.agents:
        row = [_cell(cells.get((env, agent)), scaled=scaled[env]) for env in envs]
        lines.append(" & ".join([escaped(agent), *row]) + r" \\")
    runs = sorted({one.runs_finished for one in summaries if one.runs_finished})
    count = f"{runs[0]}" if len(runs) == 1 else f"{runs[0]} to {runs[-1]}" if runs else "no"
    raw = [env for env in envs if not scaled[env]]
    scale = "Normalised (0: random policy, 1: reference)" + (f" but for {', '.join(map(escaped, raw))}" if raw else "")
    lines += [
        "\\bottomrule",
        "\\end{tabular}",
        f"% {scale}. IQM over {count} runs, with 95\\% percentile stratified bootstrap intervals",
        f"% ({method.aggregate_repetitions} repetitions, seed {method.bootstrap_seed}).",
    ]
    return "\n".join(lines) + "\n"


def _cell(summary: AgentSummary | None, *, scaled: bool) -> str:
    if summary is None or summary.iqm is None:
        return "--"
    iqm, digits = (summary.normalised.iqm, 2) if scaled and summary.normalised else (summary.iqm, 1)
    text = f"${iqm.value + 0.0:.{digits}f}$".replace("$-0.00$", "$0.00$")
    if iqm.ends is None:
        return text
    low, high = iqm.ends
    return f"{text} {{\\scriptsize $[{low:.{digits}f}, {high:.{digits}f}]$}}"


def escaped(text: str) -> str:
    """Text as LaTeX sets it."""
    return "".join(SPECIAL.get(letter, letter) for letter in text)
