"""tuning.html and tuning.json: a search as one file to read, and one to go on with."""

import base64
import json
from pathlib import Path

from experiments.figures.tuning import draw_tuning
from experiments.files import replace_file
from experiments.specs.tuning import FIRST_SEED
from experiments.tuning.result import TuningResult
from rl_lab.text.tuning import RULES, result_lines, value_text

TEMPLATE, PAGE, DATA = "tuning.html.jinja", "tuning.html", "tuning.json"


def write_tuning(folder: Path, name: str, results: list[TuningResult]) -> list[Path]:
    """Write a search's figures, page and numbers into its folder; the files, the figures first."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    files, figures = [], []
    for result in results:
        drawn = draw_tuning(result, folder) if result.best is not None else []
        files += drawn
        svg = next((path for path in drawn if path.suffix == ".svg"), None)
        figures.append(
            "" if svg is None else f"data:image/svg+xml;base64,{base64.b64encode(svg.read_bytes()).decode()}"
        )
    environment = Environment(loader=PackageLoader("rl_lab.report"), autoescape=True, undefined=StrictUndefined)
    text = environment.get_template(TEMPLATE).render(
        name=name,
        results=results,
        figures=figures,
        lines=[result_lines(result) for result in results],
        value_text=value_text,
        rule=RULES[results[0].pruner],
        first_seed=f"{FIRST_SEED:,}",
    )
    replace_file(folder / PAGE, text.encode())
    values = {"format": "rl-lab-tuning-1", "name": name, "agents": [result.to_json() for result in results]}
    replace_file(folder / DATA, (json.dumps(values, indent=1) + "\n").encode())
    return [*files, folder / PAGE, folder / DATA]
