"""docs/Dockerfile: its steps, in a folder with nothing but what it copies (a full build is for where docker is)."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from experiments.policies import export as exporting
from experiments.policies.export import export_policy
from tests.conftest import ROOT
from tests.served import MAZE, trained

TOKEN = "sixteen-characters-or-more"


def test_its_steps_serve_a_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "NUM_OBSERVATIONS", 200)
    text = (ROOT / "docs" / "Dockerfile").read_text()
    lab, site, policies = tmp_path / "lab", tmp_path / "site", tmp_path / "policies"
    lab.mkdir()
    policies.mkdir()
    for sources, target in re.findall(r"^COPY (.+) (\S+)$", text, re.M):
        for name in sources.split():
            place = lab / target / (name if target == "./" else "")
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, lab / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, place)
    assert 'pip install --no-cache-dir ".[serve]"' in text
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(site)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, "."], cwd=lab, check=True, capture_output=True)
    assert {path.name for path in site.iterdir() if path.is_dir()} >= {"rl_lab", "experiments", "agents", "envs"}
    export_policy(trained(tmp_path / "runs", MAZE, {"id": "q_learning"}), policies / "maze.npz")
    (command,) = re.findall(r"^CMD (.+)$", text, re.M)
    program, *arguments = json.loads(command)
    assert program == "rl-lab"
    asked = {"/policies": str(policies), "8080": "0"}
    line = [sys.executable, "-P", "-m", "rl_lab", *(asked.get(one, one) for one in arguments)]
    environment = os.environ | {"PYTHONPATH": str(site), "RL_LAB_TOKEN": TOKEN}
    errors = tmp_path / "errors.txt"
    with (
        errors.open("w") as file,
        subprocess.Popen(
            line, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=file, text=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip().replace("0.0.0.0", "127.0.0.1")
            assert address, errors.read_text()
            headers = {"content-type": "application/json", "authorization": f"Bearer {TOKEN}"}
            request = urllib.request.Request(f"{address}/v1/act", b'{"observation": 0}', headers)
            time.sleep(1.0)
            with urllib.request.urlopen(request, timeout=30) as response:
                assert json.loads(response.read())["policy"] == "maze"
        finally:
            process.terminate()
            process.wait(30)
