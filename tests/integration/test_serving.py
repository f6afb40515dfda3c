"""Policies behind HTTP: a real server, what it answers and what it counts."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from experiments.policies import export as exporting
from experiments.policies.export import export_policy
from rl_lab import load_agent
from tests.served import MAZE, Running, run_of, serving, trained


def test_it_answers_as_the_run_would(server: Running, policies: Path) -> None:
    agent = load_agent(run_of(policies, "maze"))
    for state in range(9):
        values = agent.action_values(state)
        assert values is not None
        reply = server.ask(body={"observation": state})
        assert reply.status == 200
        assert reply.body["action"] == int(np.argmax(values))
        assert reply.body["values"] == values.tolist()
    many = server.ask(body={"observations": [0, 1, 2]}).body
    assert many["actions"] == [server.ask(body={"observation": state}).body["action"] for state in range(3)]
    deep = load_agent(run_of(policies, "cart"))
    observation = [0.1, -0.2, 0.01, 0.5]
    reply = server.ask(body={"observation": observation, "policy": "cart"})
    expected = deep.action_values(np.array(observation, dtype=np.float32))
    assert reply.body["values"] == pytest.approx(expected, abs=1e-4)
    masked = server.ask(body={"observation": observation, "policy": "cart", "mask": [False, True]})
    assert masked.body["action"] == 1


def test_policies_are_described_and_observations_counted(policies: Path) -> None:
    with serving("cart.onnx", "maze.npz", cwd=policies) as server:
        cart, maze = server.ask("/v1/policy").body["policies"]
        assert (cart["kind"], maze["kind"]) == ("network", "table")
        assert maze["observation"] == {"type": "integer", "minimum": 0, "maximum": 8}
        high = cart["seen"]["high"]
        inside, outside = [(low + top) / 2 for low, top in zip(cart["seen"]["low"], high, strict=True)], [4.7, 0, 0, 0]
        assert outside[0] > high[0]
        chosen = server.ask(body={"observations": [inside, outside, outside]}).body["actions"]
        server.ask(body={"observations": [0] * 5, "policy": "maze"})
        server.ask(body={"observation": -1})
        found = dict(line.rsplit(" ", 1) for line in server.ask("/metrics").body.splitlines() if line[0] != "#")
        labels = f'policy="cart",version="{cart["version"]}"'
        assert found[f"rl_lab_observations_total{{{labels}}}"] == "3.0"
        assert found[f"rl_lab_observations_outside_seen_total{{{labels}}}"] == "2.0"
        assert found[f'rl_lab_numbers_outside_seen_total{{number="0",{labels}}}'] == "2.0"
        for action in (0, 1):
            count = found[f'rl_lab_actions_total{{action="{action}",{labels}}}']
            assert float(count) == chosen.count(action)
        shares = [float(value) for name, value in found.items() if name.startswith("rl_lab_action_share_at_export")]
        assert sum(shares) == pytest.approx(2.0)  # of each of the two policies
        assert found['rl_lab_requests_total{path="/v1/act",status="422"}'] == "1.0"


def test_a_new_version_is_taken_over_without_a_request_lost(policies: Path, tmp_path: Path) -> None:
    old, new = (policies / "maze.npz").read_bytes(), tmp_path / "other"
    before, exporting.NUM_OBSERVATIONS = exporting.NUM_OBSERVATIONS, 200
    try:
        export_policy(trained(tmp_path / "new", MAZE, {"id": "q_learning"}, steps=80), tmp_path / "other.npz")
    finally:
        exporting.NUM_OBSERVATIONS = before
    new = tmp_path / "other.npz"
    (tmp_path / "maze.npz").write_bytes(old)
    with serving("maze.npz", cwd=tmp_path) as server:
        versions: list[str] = []
        statuses: set[int] = set()
        stop = threading.Event()

        def keep_asking() -> None:
            while not stop.is_set():
                reply = server.ask(body={"observation": 0})
                statuses.add(reply.status)
                versions.append(reply.body["version"])

        threads = [threading.Thread(target=keep_asking) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        (tmp_path / "torn.npz").write_bytes(old.replace(b"'shape': (", b"'shape': (9", 1))
        (tmp_path / "torn.npz").replace(tmp_path / "maze.npz")  # is no policy: the version before goes on
        time.sleep(1.6)
        torn = len(set(versions))
        new.replace(tmp_path / "maze.npz")
        deadline = time.monotonic() + 20
        while len(set(versions)) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        stop.set()
        for thread in threads:
            thread.join()
        assert statuses == {200}
        assert torn == 1
        assert len(set(versions)) == 2
        text = server.ask("/metrics").body
        assert 'rl_lab_policy_swaps_total{policy="maze",sound="false"} 1.0' in text
        assert 'rl_lab_policy_swaps_total{policy="maze",sound="true"} 1.0' in text
