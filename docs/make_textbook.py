"""Draws the textbook's figures into docs/images/textbook, and writes their numbers into docs/textbook.md."""

import csv
import re
import shutil
from pathlib import Path

from experiments.execution.executor import available_cores
from rl_lab.run import run_suite

DOCS = Path(__file__).parent
IMAGES = DOCS / "images" / "textbook"
FIGURES = ("example-6.6", "figure-6.5", "figure-7.2", "figure-8.2", "figure-8.4", "figure-8.5", "figure-12.3")
# What of each figure is in its table: (line, x), as figure.csv has them; None: the line's smallest mean.
POINTS: dict[str, list[tuple[str, float | None]]] = {
    "example-6.6": [(name, 450.0) for name in ("SARSA", "Expected-SARSA", "Q-learning")],
    "figure-6.5": [(name, x) for name in ("Q-learning", "Double-Q-learning") for x in (20.0, 300.0)],
    "figure-7.2": [(f"n = {n}", None) for n in (1, 2, 4, 8, 16, 64)],
    "figure-8.2": [(f"{steps}-planning-steps", x) for steps in (0, 5, 50) for x in (2.0, 4.0, 25.0)],
    "figure-8.4": [(name, x) for name in ("Dyna-Q", "Dyna-Q-plus") for x in (990.0, 3000.0)],
    "figure-8.5": [(name, x) for name in ("Dyna-Q", "Dyna-Q-plus") for x in (3000.0, 6000.0)],
    "figure-12.3": [(f"λ = {decay}", None) for decay in (0.0, 0.4, 0.8, 0.9, 0.95, 1.0)],
}
FACTORS = {"figure-6.5": 100.0}  # percent


def table(path: Path, name: str) -> str:
    """The numbers of a figure."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        x_name = (reader.fieldnames or [])[1]
        rows = list(reader)
    lines = [f"| line | {x_name.replace('_', ' ')} | mean | 95% interval | runs |", "|---|---|---|---|---|"]
    for label, x in POINTS[name]:
        of_line = [row for row in rows if row["line"] == label]
        (row,) = [row for row in of_line if float(row[x_name]) == x] or [
            min(of_line, key=lambda row: float(row["mean"]))
        ]
        mean, low, high = (FACTORS.get(name, 1.0) * float(row[key]) for key in ("mean", "low", "high"))
        where = f"{float(row[x_name]):g}" + ("" if x is not None else " (its best)")
        lines.append(f"| {label} | {where} | {mean:.3g} | [{low:.3g}, {high:.3g}] | {row['runs']} |")
    return "\n".join(lines)


def main(runs: Path) -> None:
    """Run the suites (finished runs are skipped), copy the pictures, and write the tables between their markers."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    page = (DOCS / "textbook.md").read_text(encoding="utf-8")
    for name in FIGURES:
        run_suite(name, out=runs, jobs=available_cores())
        shutil.copy(runs / name / "figure.png", IMAGES / f"{name}.png")
        marked = rf"(<!-- numbers: {re.escape(name)} -->\n).*?(<!-- end -->)"
        numbers = table(runs / name / "figure.csv", name)
        page = re.sub(marked, lambda match, numbers=numbers: f"{match[1]}{numbers}\n{match[2]}", page, flags=re.S)  # type: ignore[misc]
    (DOCS / "textbook.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main(Path("runs"))
