"""What the Python functions give back: dictionaries, as the commands print them, with tables and pictures."""

import html
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from experiments.comparison.comparison import Comparison


class TrainingResult(dict[str, Any]):
    """What `train` gives: the keys of `rl-lab train --json`, and what the run's logs hold."""

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return Path(self["run"])

    @property
    def training(self) -> "pd.DataFrame":
        """A row a training episode: episodes.csv."""
        import pandas as pd

        return pd.read_csv(self.folder / "episodes.csv")

    @property
    def evaluations(self) -> "pd.DataFrame":
        """A row an evaluation episode: evaluations.csv."""
        import pandas as pd

        return pd.read_csv(self.folder / "evaluations.csv")

    @property
    def curve(self) -> "pd.DataFrame":
        """The learning curve: env_step, and the mean return of the evaluation there."""
        rows = self.evaluations
        means = rows[(rows["phase"] == "curve") & (rows["set"] == "fresh")].groupby("env_step")["return"].mean()
        return means.reset_index()

    def _repr_html_(self) -> str:
        """How a notebook shows it."""
        lines = {key: value for key, value in self.items() if key != "run"}
        rows = "".join(f"<tr><th>{_text(key)}</th><td>{_text(value)}</td></tr>" for key, value in lines.items())
        return f"<table><caption>{_text(self['run'])}</caption>{rows}</table>"


class EvaluationResult(dict[str, Any]):
    """What `evaluate` gives: the keys of `rl-lab evaluate --json`, and its episodes as a table."""

    @property
    def frame(self) -> "pd.DataFrame":
        """A row an episode: seed, return, length, how it ended."""
        import pandas as pd

        return pd.DataFrame(self["episodes"])

    def _repr_html_(self) -> str:
        """How a notebook shows it."""
        from experiments.results.endings import Endings

        words = Endings(**self["endings"]).in_words()
        title = f"{self['agent']} on {self['env']}: mean return {self['mean_return']:.2f}; {words}"
        table: str = self.frame.describe().to_html(float_format="{:.2f}".format)
        return f"<p>{_text(title)}</p>{table}"


class ComparisonResult(dict[str, Any]):
    """What `compare` gives: what results.json holds, and its tables and verdicts.

    Args:
        comparison: the numbers.
    """

    def __init__(self, comparison: "Comparison") -> None:
        super().__init__(comparison.to_json())
        self._comparison = comparison

    @property
    def frame(self) -> "pd.DataFrame":
        """A row an agent in an environment: its score, its share of the scale, their intervals."""
        import pandas as pd

        rows = []
        for one in self["records"]:
            normalised = one["normalised"] or {}
            ends, share_ends = one["interval"] or [None, None], normalised.get("interval") or [None, None]
            rows.append(
                {"env": one["env"], "agent": one["agent"], "runs": one["runs_finished"], "score": one["iqm"],
                 "low": ends[0], "high": ends[1], "of_scale": normalised.get("iqm"), "of_scale_low": share_ends[0],
                 "of_scale_high": share_ends[1]}
            )  # fmt: skip
        return pd.DataFrame(rows)

    @property
    def pairs(self) -> "pd.DataFrame":
        """A row a pair of agents: the probability of improvement, p after Holm's correction, the verdict."""
        import pandas as pd

        names = ("x", "y", "probability_of_improvement", "p", "p_holm", "verdict")
        rows = [{name: pair[name] for name in names} | {"envs": ", ".join(pair["envs"])} for pair in self["pairs"]]
        return pd.DataFrame(rows, columns=[*names, "envs"])

    @property
    def verdicts(self) -> list[str]:
        """The verdicts in plain words, as `rl-lab compare` prints them."""
        from rl_lab.text.first_screen import verdict_lines

        return list(verdict_lines(self._comparison))

    def _repr_html_(self) -> str:
        """How a notebook shows it."""
        items = "".join(f"<li>{_text(line)}</li>" for line in self.verdicts)
        table: str = self.frame.to_html(index=False, float_format="{:.2f}".format)
        return f"{table}<ul>{items}</ul>"


class Picture:
    """A picture: notebooks show it, and `save` writes it.

    Args:
        svg: the text of an SVG file.
        text: the same as text, if there is one, for `print`.
        save: writes it into a file.
    """

    def __init__(self, svg: str, text: str, save: Callable[[Path], object]) -> None:
        self.svg = svg
        self._written, self._save = text, save

    def save(self, file: str | Path) -> Path:
        """Write it, in the format of the file's ending.

        Raises:
            InputError: the file cannot be written, or its ending is none that is known.
        """
        self._save(Path(file))
        return Path(file)

    def _repr_svg_(self) -> str:
        """How a notebook shows it."""
        return self.svg

    def __str__(self) -> str:
        return self._written


def _text(value: Any) -> str:
    return html.escape(str(value))
