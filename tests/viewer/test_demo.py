"""The demo ends by saying how the viewer is opened, and opens it where it is asked to."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rl_lab import demo


@pytest.mark.parametrize("ui", [False, True])
def test_the_demo_leads_to_the_viewer(
    ui: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it trains and draws is tested elsewhere, and left out here."""
    opened: list[Path] = []
    run: Any = SimpleNamespace(folder=SimpleNamespace(path=Path("runs/demo/maze-9x9/q_learning/seed-0")))
    for name, stand_in in (
        ("_run", lambda out, env: 0),
        ("_run_of", lambda folder, env, agent: run),
        ("_compare", lambda folder: None),
        ("watch", lambda *_, **__: {}),
        ("compare_folders", lambda places: (None, [Path("runs/demo/comparison/report.html")])),
        ("serve", opened.append),
    ):
        monkeypatch.setattr(demo, name, stand_in)
    demo.run_demo(Path("runs"), ui=ui)
    assert opened == [Path("runs")] * ui
    assert "rl-lab ui runs" in capsys.readouterr().out
