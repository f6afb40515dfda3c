"""Policies in one file: equal to their runs, opened like runs, refused where they are damaged or another."""

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.errors import InputError
from experiments.policies import export as exporting
from experiments.policies import parity
from experiments.policies.export import export_policy
from experiments.policies.network_file import read_network, with_card
from experiments.policies.open_policy import OpenPolicy, open_policy
from experiments.policies.table_file import read_table, table_bytes
from experiments.runs.archive import write_archive
from experiments.runs.open_run import open_run
from experiments.runs.run_folder import RunFolder
from rl_lab import evaluate, load_agent
from tests.conftest import Command
from tests.served import CART, MAZE, SMALL, trained

GRID = MAZE | {"observation": "grid"}
PENDULUM = {"id": "Pendulum-v1", "name": "p"}
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "table": (MAZE, {"id": "q_learning", "initial_values": "random"}, ".npz"),
    "bins": (CART, {"id": "sarsa"}, ".npz"),
    "plan": (MAZE, {"id": "value_iteration"}, ".npz"),
    "tiles": (CART, {"id": "linear_q"}, ".npz"),
    "numbers": (CART, {"id": "dqn", "dueling": True, **SMALL}, ".onnx"),
    "one-hot": (MAZE, {"id": "dqn", **SMALL}, ".onnx"),
    "image": (GRID, {"id": "dqn", **SMALL}, ".onnx"),
    "planning network": (GRID, {"id": "dqn", "network": "vin", "num_sweeps": 2, "learning_starts": 50}, ".onnx"),
    "probabilities": (CART, {"id": "sb3_ppo", "n_steps": 64, "n_epochs": 1}, ".onnx"),
    "quantiles": (CART, {"id": "sb3_qrdqn", "policy_kwargs": {"n_quantiles": 5}}, ".onnx"),
    "squashed": (PENDULUM, {"id": "sb3_sac", "learning_starts": 50}, ".onnx"),
    "clipped": (PENDULUM, {"id": "sb3_a2c"}, ".onnx"),
}


# The exporter of networks takes seconds: the others are tried where time is no matter (`make soak`).
ALWAYS = ("table", "bins", "plan", "tiles", "numbers", "image", "probabilities", "squashed")


@pytest.mark.parametrize("kind", KINDS if os.environ.get("RL_LAB_SOAK") else ALWAYS)
def test_what_is_exported_is_the_same_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(exporting, "NUM_OBSERVATIONS", 600)
    env, agent, suffix = KINDS[kind]
    run, file = trained(tmp_path, env, agent), tmp_path / f"policy{suffix}"
    made = export_policy(run, file)
    assert made.card.parity is not None
    assert made.card.parity.observations == 600
    assert (made.card.parity.largest_difference == 0.0) == (suffix == ".npz")
    assert made.card.seen.low is not None
    assert evaluate(file)["mean_return"] == pytest.approx(evaluate(run)["mean_return"], rel=1e-4)
    assert made.card.score is not None
    assert made.card.score.mean == pytest.approx(float(evaluate(run)["mean_return"]))
    card = (tmp_path / "policy.md").read_text()
    assert f"trained for {120:,} env steps" in card or "env steps with seed 0" in card
    assert "95% bootstrap interval of the episodes" in card
    again = file.read_bytes()
    if suffix == ".npz":
        export_policy(run, file)
        assert file.read_bytes() == again  # equal policies are equal bytes


def test_a_network_runs_without_torch_and_without_this_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "NUM_OBSERVATIONS", 200)
    env, agent, _ = KINDS["numbers"]
    run = trained(tmp_path, env, agent)
    export_policy(run, tmp_path / "policy.onnx")
    observations = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
    code = (
        "import json, sys, numpy, onnxruntime\n"
        "session = onnxruntime.InferenceSession('policy.onnx', providers=['CPUExecutionProvider'])\n"
        "given = numpy.array(json.loads(sys.argv[1]), numpy.float32)\n"
        "actions, values = session.run(None, {'observation': given})\n"
        "assert not {'torch', 'rl_lab', 'agents'} & set(sys.modules)\n"
        "print(json.dumps([actions.tolist(), values.tolist()]))\n"
    )
    arguments = [sys.executable, "-P", "-c", code, json.dumps(observations.tolist())]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=True)
    actions, values = json.loads(done.stdout)
    expected = [load_agent(run).action_values(one) for one in observations]
    for value, one in zip(values, expected, strict=True):
        assert one is not None
        assert np.allclose(value, one, atol=1e-4)
    assert actions == [int(np.argmax(value)) for value in values]
    code = "import sys; from rl_lab import evaluate; evaluate('policy.onnx'); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, check=True)


def test_a_table_is_read_with_numpy_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "NUM_OBSERVATIONS", 200)
    run = trained(tmp_path, MAZE, {"id": "q_learning"}, steps=600)
    export_policy(run, tmp_path / "policy.npz")
    with np.load(tmp_path / "policy.npz", allow_pickle=False) as file:
        q_values = np.zeros((9, 4))
        q_values[file["table/changed"]] = file["table/q"]
        card = json.loads(file.zip.read("policy.json"))["card"]
    expected = [load_agent(run).action_values(state) for state in range(9)]
    assert np.array_equal(q_values, np.array(expected))
    assert card["run"]["trial"]["agent"]["id"] == "q_learning"


def test_seen_ranges_and_shares_by_hand() -> None:
    from gymnasium import spaces

    met = parity.Met([np.array([0.0, 5.0]), np.array([-1.0, 7.0])], [0, 1, 1, 1])
    seen = parity.seen_in(met, spaces.Box(-9, 9, (2,)), spaces.Discrete(3))
    assert (seen.low, seen.high, seen.action_shares) == ([-1.0, 5.0], [0.0, 7.0], [0.25, 0.75, 0.0])


def test_a_policy_that_differs_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "NUM_OBSERVATIONS", 200)
    run, file = trained(tmp_path, MAZE, {"id": "q_learning"}, steps=600), tmp_path / "policy.npz"
    sound = table_bytes

    def wrong(card: Any, state: Any) -> bytes:
        state["table"]["q"] = -state["table"]["q"]
        return sound(card, state)

    monkeypatch.setattr(exporting, "table_bytes", wrong)
    with pytest.raises(InputError, match="the exported policy is another: expected action"):
        export_policy(run, file)
    assert not file.exists()


def test_what_lies_in_the_files_place_runs_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "NUM_OBSERVATIONS", 200)
    run, file = trained(tmp_path, MAZE, {"id": "q_learning"}), tmp_path / "policy.npz"
    export_policy(run, file)
    (tmp_path / "hostile.py").write_text("raise SystemExit('executed')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    card, state = read_table(file.read_bytes(), "here")
    named = json.loads(json.dumps(card.run).replace('"id": "q_learning"', '"id": "hostile:Agent"'))
    file.write_bytes(table_bytes(card.model_copy(update={"run": named}), state))
    with pytest.raises(InputError):
        open_policy(file)
    export_policy(run, file)  # replaces it, and has not imported what it names
    assert open_policy(file).run_spec.agent.id == "q_learning"


def test_an_older_moment_is_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "NUM_OBSERVATIONS", 200)
    run = trained(tmp_path, MAZE, {"id": "q_learning"}, steps=600)
    export_policy(run, tmp_path / "policy.npz", at=60)
    then, now = open_run(run).agent(60), open_run(run).agent()
    exported = open_policy(tmp_path / "policy.npz").agent()
    values = [[agent.action_values(state) for state in range(9)] for agent in (then, now, exported)]
    assert np.array_equal(np.array(values[2]), np.array(values[0]))
    assert not np.array_equal(np.array(values[2]), np.array(values[1]))
    made = export_policy(run, tmp_path / "policy.npz", at=100)  # the last snapshot by then is that of step 60
    assert made.replaced
    assert made.card.env_steps == made.card.at == 60
    assert "trained for 60 env steps" in made.card_file.read_text()
    write_archive(run.parents[2], tmp_path / "runs.zip", with_checkpoints=True)
    there = tmp_path / "runs.zip" / run.relative_to(run.parents[2])
    assert export_policy(there, tmp_path / "policy.npz", at=60).card.env_steps == 60
    with pytest.raises(InputError, match="--at: expected at most the run's 600 env steps, got 601"):
        export_policy(run, tmp_path / "policy.npz", at=601)
    manifest = RunFolder(run).read_manifest()
    RunFolder(run).write_manifest(manifest.with_(status="interrupted"))
    with pytest.raises(InputError, match="expected a run that has finished"):
        export_policy(run, tmp_path / "policy.npz")


def test_a_file_serves_where_a_run_does(rl_lab: Command, tmp_path: Path) -> None:
    run = trained(tmp_path / "runs", MAZE, {"id": "q_learning"}, steps=600).relative_to(tmp_path)
    exported = rl_lab("export", str(run), "policy.npz")
    assert exported.returncode == 0, exported.stderr
    assert "equal to its run on 10,000 observations" in exported.stdout
    for arguments in (("evaluate",), ("watch", "--terminal"), ("show",)):
        found, expected = (rl_lab(arguments[0], of, *arguments[1:]) for of in ("policy.npz", str(run)))
        assert found.returncode == 0, found.stderr
        assert found.stdout == expected.stdout
    assert isinstance(open_policy(tmp_path / "policy.npz"), OpenPolicy)


def _endless() -> bytes:
    """A network that never answers."""
    from onnx import TensorProto, checker, helper

    flag = helper.make_tensor_value_info("go_on", TensorProto.BOOL, [])
    turn = helper.make_tensor_value_info("turn", TensorProto.INT64, [])
    out = helper.make_tensor_value_info("still", TensorProto.BOOL, [])
    before, after = (helper.make_tensor_value_info(name, TensorProto.INT64, ["N"]) for name in ("before", "after"))
    nodes = [helper.make_node("Identity", [one], [other]) for one, other in (("go_on", "still"), ("before", "after"))]
    body = helper.make_graph(nodes, "body", [turn, flag, before], [out, after])
    true = helper.make_tensor("true", TensorProto.BOOL, [], [True])
    node = helper.make_node("Loop", ["", "true", "observation"], ["looped"], body=body)
    answer = helper.make_node("Identity", ["looped"], ["action"])
    given = helper.make_tensor_value_info("observation", TensorProto.INT64, ["N"])
    taken = helper.make_tensor_value_info("action", TensorProto.INT64, ["N"])
    graph = helper.make_graph([node, answer], "endless", [given], [taken], [true])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def _network(action: Any, values: Any, given: str, shape: list[Any]) -> bytes:
    """A network that always answers this, whatever it is given."""
    from onnx import TensorProto, helper, numpy_helper

    answers = {"action": np.asarray(action)} | ({} if values is None else {"values": np.asarray(values, np.float32)})
    nodes, outputs = [], []
    for name, answer in answers.items():
        nodes.append(helper.make_node("Constant", [], [name], value=numpy_helper.from_array(answer)))
        outputs.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(answer.dtype), None))
    observation = helper.make_tensor_value_info(given, TensorProto.FLOAT, shape)
    graph = helper.make_graph([*nodes, helper.make_node("Identity", [given], ["unused"])], "g", [observation], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data: bytes = model.SerializeToString()
    return data


GOOD = [[0.5, 1.5], [0.5, 1.5]]


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (([1, 1], GOOD, "observation", ["N", 4]), None),
        (([5, 1], GOOD, "observation", ["N", 4]), "expected actions of Discrete(2), got [5, 1]"),
        (([0.5, 1.0], GOOD, "observation", ["N", 4]), "expected actions of Discrete(2), got [0.5, 1.0]"),
        (([1], GOOD, "observation", ["N", 4]), "expected actions of Discrete(2), got [1]"),
        (([1, 1], [[0.5, np.nan]] * 2, "observation", ["N", 4]), "expected a value for each action"),
        (([1, 1], [[0.5, 1.0, 1.5]] * 2, "observation", ["N", 4]), "expected a value for each action"),
        (([1, 1], None, "observation", ["N", 4]), "expected a value for each action, got None"),
        (([1, 1], GOOD, "observation", ["N", 5]), "it does not act"),
        (([1, 1], GOOD, "picture", ["N", 4]), "it does not act"),
    ],
)
def test_a_network_that_does_not_fit_its_card_is_refused(
    policies: Path, tmp_path: Path, network: tuple[Any, Any, str, list[Any]], expected: str | None
) -> None:
    card = read_network((policies / "cart.onnx").read_bytes(), "")
    path = tmp_path / "other.onnx"
    path.write_bytes(with_card(_network(*network), card))
    if expected is None:
        assert open_policy(path).agent().select_action(np.zeros(4, np.float32), explore=False) == 1
        return
    with pytest.raises(InputError) as caught:
        open_policy(path)
    assert str(caught.value).startswith(f"{path}: damaged: it does not act")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("export", "RUN", "policy.onnx"), "policy.onnx: expected a file that ends in .npz, since"),
        (("export", "RUN", "policy"), "policy: expected a file that ends in .npz"),
        (("export", "nothing", "policy.npz"), "nothing: expected a run folder, got nothing"),
        (("export", "DRAWS", "policy.npz"), "random draws its actions: there is no policy to export"),
        (("export", "RUN", "text.npz"), "text.npz: is there already, and is no exported policy: it is left as it is"),
        (("export", "RUN", "notes.npz"), "notes.md: is there already; the policy's card would take its place"),
        (("evaluate", "none.npz"), "none.npz: missing"),
        (("evaluate", "text.npz"), "text.npz: damaged: File is not a zip file"),
        (("evaluate", "text.onnx"), "text.onnx: damaged: expected an ONNX network"),
        (("evaluate", "packed.npz"), "packed.npz: damaged: expected members that are not packed"),
        (("evaluate", "pickled.npz"), "pickled.npz: damaged: ValueError: Object arrays cannot be loaded"),
        (("evaluate", "empty.npz"), "empty.npz: damaged: "),
        (("evaluate", "huge.npz"), "huge.npz: damaged: "),
        (("evaluate", "loop.onnx"), "loop.onnx: expected a network without If, Loop, Scan, got Loop"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(
    rl_lab: Command, tmp_path: Path, arguments: tuple[str, ...], expected: str
) -> None:
    run = trained(tmp_path / "runs", MAZE, {"id": "q_learning"}) if "RUN" in arguments else tmp_path
    draws = trained(tmp_path / "runs", MAZE, {"id": "random"}) if "DRAWS" in arguments else tmp_path
    for name in ("text.npz", "text.onnx", "notes.md"):
        (tmp_path / name).write_text("no policy")
    with zipfile.ZipFile(tmp_path / "packed.npz", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("policy.json", "{}")
    with zipfile.ZipFile(tmp_path / "pickled.npz", "w") as file:
        member = io.BytesIO()
        np.save(member, np.array([{}], dtype=object), allow_pickle=True)
        file.writestr("policy.json", "{}")
        file.writestr("x.npy", member.getvalue())
    with zipfile.ZipFile(tmp_path / "empty.npz", "w") as file:
        file.writestr("policy.json", "{}")
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as file:
        file.writestr("policy.json", "{}")
        header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000000000000000000,), }"
        file.writestr("x.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    (tmp_path / "loop.onnx").write_bytes(_endless())
    given = [{"RUN": str(run), "DRAWS": str(draws)}.get(one, one) for one in arguments]
    found = rl_lab(*given)
    assert found.returncode == 2, found.stdout
    assert expected in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "policy.npz").exists()
