"""A comparison as a LaTeX table, for booktabs."""

from typing import Any

from experiments.comparison.comparison import Comparison

SPECIAL = {"_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}", "^": r"\^{}",
           "~": r"\~{}", "\\": r"\textbackslash{}"}  # fmt: skip


def latex_table(comparison: Comparison) -> str:
    """IQM with its interval, agents by environments; normalised where the scale is known."""
    records = comparison["records"]
    envs = list(dict.fromkeys(record["env"] for record in records))
    agents = list(dict.fromkeys(record["agent"] for record in records))
    cells = {(record["env"], record["agent"]): record for record in records}
    scaled = {env: all(record["normalised"] for record in records if record["env"] == env and record["scores"])
              for env in envs}  # fmt: skip
    method = comparison["method"]
    lines = [
        "% \\usepackage{booktabs}",
        "\\begin{tabular}{l" + "r" * len(envs) + "}",
        "\\toprule",
        " & ".join(["agent", *(escaped(env) for env in envs)]) + r" \\",
        "\\midrule",
    ]
    for agent in agents:
        row = [_cell(cells.get((env, agent)), scaled=scaled[env]) for env in envs]
        lines.append(" & ".join([escaped(agent), *row]) + r" \\")
    runs = sorted({record["runs_finished"] for record in records if record["runs_finished"]})
    count = f"{runs[0]}" if len(runs) == 1 else f"{runs[0]} to {runs[-1]}" if runs else "no"
    raw = [env for env in envs if not scaled[env]]
    scale = "Normalised (0: random policy, 1: reference)" + (f" but for {', '.join(map(escaped, raw))}" if raw else "")
    lines += [
        "\\bottomrule",
        "\\end{tabular}",
        f"% {scale}. IQM over {count} runs, with 95\\% percentile stratified bootstrap intervals",
        f"% ({method['aggregate_repetitions']} repetitions, seed {method['bootstrap_seed']}).",
    ]
    return "\n".join(lines) + "\n"


def _cell(record: dict[str, Any] | None, *, scaled: bool) -> str:
    if record is None or not record["scores"]:
        return "--"
    source, digits = (record["normalised"], 2) if scaled else (record, 1)
    text = f"${source['iqm'] + 0.0:.{digits}f}$".replace("$-0.00$", "$0.00$")
    if source["interval"] is None:
        return text
    low, high = source["interval"]
    return f"{text} {{\\scriptsize $[{low:.{digits}f}, {high:.{digits}f}]$}}"


def escaped(text: str) -> str:
    """Text as LaTeX sets it."""
    return "".join(SPECIAL.get(letter, letter) for letter in text)
