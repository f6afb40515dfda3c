"""Policies behind HTTP: a real server, what it answers, what it refuses, and what it counts."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import schemathesis
from gymnasium import spaces
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode

from experiments.policies import export as exporting
from experiments.policies.export import export_policy
from rl_lab import load_agent
from rl_lab.serving.questions import RefusedError, parse_question, parsed, space_schema
from tests.conftest import Command
from tests.integration.test_export import CART, MAZE, SMALL, trained

TOKEN = "a-token-of-some-length"


class Reply(NamedTuple):
    status: int
    body: Any


class Running(NamedTuple):
    """A server in a process of its own."""

    process: "subprocess.Popen[str]"
    address: str
    token: str | None = None

    def ask(self, path: str = "/v1/act", body: Any = None, **headers: str) -> Reply:
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"content-type": "application/json"} if data is not None else {}
        given |= {} if self.token is None else {"authorization": f"Bearer {self.token}"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(f"{self.address}{path}", data, given)
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                status, text = response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                status, text = error.code, error.read()
        return Reply(status, json.loads(text) if path != "/metrics" else text.decode())


@contextlib.contextmanager
def serving(*arguments: str, cwd: Path, token: str | None = None) -> Iterator[Running]:
    command = [sys.executable, "-P", "-m", "rl_lab", "serve", *arguments, "--port", "0"]
    environment = os.environ | ({} if token is None else {"RL_LAB_TOKEN": token})
    with subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        running = Running(process, process.stdout.readline().strip(), token)
        try:
            for _ in range(200):
                with contextlib.suppress(urllib.error.URLError):
                    running.ask("/health")
                    break
                time.sleep(0.05)
            yield running
        finally:
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=30)
            assert "Traceback" not in errors, errors


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table's and a network's file, and the runs that they come from."""
    folder = tmp_path_factory.mktemp("served")
    before, exporting.NUM_OBSERVATIONS = exporting.NUM_OBSERVATIONS, 400
    try:
        for name, env, agent in (("maze.npz", MAZE, {"id": "q_learning"}), ("cart.onnx", CART, {"id": "dqn", **SMALL})):
            run = trained(folder / name.partition(".")[0], env, agent, steps=400)
            export_policy(run, folder / name)
    finally:
        exporting.NUM_OBSERVATIONS = before
    return folder


@pytest.fixture(scope="module")
def server(policies: Path) -> Iterator[Running]:
    with serving("maze.npz", "cart.onnx", cwd=policies) as running:
        yield running


def run_of(policies: Path, name: str) -> Path:
    return next((policies / name).rglob("run.json")).parent


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


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        ({"observation": 9}, 422, "observation: expected a whole number from 0 to 8, got 9"),
        ({"observation": True}, 422, "observation: expected a whole number from 0 to 8, got true"),
        ({"observation": "3"}, 422, 'got "3"'),
        ({"observations": []}, 422, "observations: expected a list of 1 to 1,000, got 0"),
        ({"observations": [0] * 1001}, 422, "got 1,001"),
        ({"observations": [0, 99]}, 422, "observations[1]: expected a whole number from 0 to 8, got 99"),
        ({}, 422, "expected observation or observations, one of the two"),
        ({"observation": 0, "observations": [0]}, 422, "one of the two"),
        ({"observation": 0, "obs": 0}, 422, 'unknown key "obs"'),
        ([0], 422, "expected an object with observation or observations, got [0]"),
        ({"observation": 0, "policy": "moon"}, 404, "there is no policy 'moon'; expected one of: maze, cart"),
        ({"observation": 0, "policy": 3}, 422, "policy: expected a name, got 3"),
        ({"observation": 0, "mask": [True]}, 422, "mask: expected 4 times true or false"),
        ({"observation": 0, "mask": [False] * 4}, 422, "at least one of them true"),
        ({"policy": "cart", "observation": [0, 0, 0]}, 422, "expected numbers of shape [4], got shape [3]"),
        ({"policy": "cart", "observation": [[0], 0, 0, 0]}, 422, "expected numbers of shape [4]"),
        ({"policy": "cart", "observation": [0, 0, 0, True]}, 422, "expected numbers of shape [4]"),
        ({"policy": "cart", "observation": [0, 0, 0, 1e300]}, 422, "expected finite numbers of float32"),
        ({"policy": "cart", "observation": [99, 0, 0, 0]}, 422, "expected numbers between"),
        (b'{"policy": "cart", "observation": [NaN, 0, 0, 0]}', 422, "expected finite numbers, got NaN"),
        (b'{"policy": "cart", "observation": [0, 0, 0, 1e999]}', 422, "expected finite numbers of float32"),
        (b"no json", 400, "expected a body of JSON"),
        (b"\xff\xfe", 400, "expected a body of JSON"),
        (b"[" * 100_000, 400, "expected a body of JSON"),
        (b"9" * 10_000, 400, "expected a body of JSON"),
        (b" " * 4_000_001, 413, "expected a body of at most 4,000,000 bytes"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str | int) else "",
)
def test_what_is_wrong_is_told_in_a_line(server: Running, body: Any, status: int, expected: str) -> None:
    reply = server.ask(body=body)
    assert reply.status == status, reply
    assert expected in reply.body["error"]
    assert "\n" not in reply.body["error"]
    assert len(reply.body["error"]) < 500


def test_paths_methods_and_hosts_that_it_does_not_have(server: Running) -> None:
    assert server.ask("/nowhere").status == 404
    assert server.ask("/v1/act").status == 405
    assert server.ask("/v1/policy", body={}).status == 405
    assert server.ask(body={"observation": 0}, content_type="text/plain").status == 415
    assert server.ask(body={"observation": 0}, host="evil.example").status == 421  # a page of another site, rebound
    assert server.ask("/v1/act/", body={"observation": 0}).status == 404  # and no redirect, past every check
    assert server.ask("/health", host="[::1]").body == {"status": "ok"}
    assert server.ask("/health").body == {"status": "ok"}


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


def test_a_token_is_asked_for(policies: Path) -> None:
    with serving("maze.npz", "--host", "0.0.0.0", cwd=policies, token=TOKEN) as server:
        server = server._replace(address=server.address.replace("0.0.0.0", "127.0.0.1"))
        assert server.ask(body={"observation": 0}).status == 200
        stranger = server._replace(token=None)
        for path in ("/v1/policy", "/metrics", "/openapi.json"):
            assert stranger.ask(path).status == 401
        for given in ("Bearer wrong", "Bearer", TOKEN, "Basic " + TOKEN, "Bearer \xe9"):
            assert stranger.ask(body={"observation": 0}, authorization=given).status == 401
        assert stranger.ask("/health").status == 200


def test_more_requests_than_may_be_in_flight_are_sent_away(policies: Path) -> None:
    with serving("maze.npz", "--max-in-flight", "2", cwd=policies) as server:
        host, _, port = server.address.removeprefix("http://").partition(":")
        head = (
            b"POST /v1/act HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n"
        )
        with contextlib.ExitStack() as stack:
            for _ in range(2):  # these say that a body comes, and keep it to themselves
                waiting = stack.enter_context(socket.create_connection((host, int(port))))
                waiting.sendall(head)
            deadline = time.monotonic() + 10
            while (reply := server.ask(body={"observation": 0})).status != 503 and time.monotonic() < deadline:
                time.sleep(0.05)
            assert reply.status == 503
            assert "2 requests are being answered" in reply.body["error"]
        deadline = time.monotonic() + 10
        while (reply := server.ask(body={"observation": 0})).status != 200 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert reply.status == 200  # once they have gone


def test_wrong_servers_end_with_a_line(rl_lab: Command, policies: Path) -> None:
    (policies / "copy").mkdir(exist_ok=True)
    (policies / "copy" / "maze.npz").write_bytes((policies / "maze.npz").read_bytes())
    maze = str(policies / "maze.npz")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for arguments, expected in (
            (
                (maze, "--host", "0.0.0.0"),
                "--host 0.0.0.0: expected a token beside it: whoever reaches it could ask (set RL_LAB_TOKEN)",
            ),
            ((maze, "--token", "short"), "the token: expected at least 16 plain characters, got 5"),
            ((maze, "--port", port), f"--port: expected a free port of 127.0.0.1, got {port}"),
            ((maze, "--port", "70000"), "--port: expected at most 65535, got 70000"),
            ((maze, str(policies / "copy" / "maze.npz")), "there is another policy called 'maze'"),
            ((str(policies / "maze"),), "expected exported policies (.npz or .onnx) in it, got none"),
            ((__file__,), "expected a policy's file (.npz or .onnx); rl-lab export makes one of a run"),
            (("nothing.npz",), "nothing.npz: missing"),
        ):
            found = rl_lab("serve", *arguments)
            assert found.returncode == 2, found
            assert expected in found.stderr
            assert len(found.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_it_keeps_its_own_description_whatever_is_asked(server: Running, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_url(f"{server.address}/openapi.json")
    gets = [(path, "GET") for path in ("/v1/policy", "/health", "/metrics") if mode == GenerationMode.POSITIVE]
    for path, method in [("/v1/act", "POST"), *gets]:
        operation = schema[path][method]

        @settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            case.call_and_validate()  # status, content type and schema as described; what is wrong is refused

        ask()


@pytest.mark.parametrize(
    ("space", "value", "expected"),
    [
        (spaces.Tuple((spaces.Discrete(3), spaces.Box(0, 1, (1,)))), [2, [0.5]], (2, np.array([0.5], np.float32))),
        (spaces.Dict(a=spaces.Discrete(2), b=spaces.MultiBinary(2)), {"a": 1, "b": [0, 1]}, {"a": 1, "b": [0, 1]}),
        (spaces.Discrete(3, start=-1), -1, -1),
        (spaces.Box(0, 255, (2,), np.uint8), [255, 0], np.array([255, 0], np.uint8)),
        (spaces.MultiDiscrete([2, 5]), [1, 4], np.array([1, 4])),
    ],
)
def test_observations_of_every_space_are_parsed(space: Any, value: Any, expected: Any) -> None:
    found = parsed(value, space, "observation")
    assert space.contains(found)
    assert str(found) == str(expected) or {key: list(map(int, np.ravel(one))) for key, one in found.items()} == {
        key: list(map(int, np.ravel(one))) for key, one in expected.items()
    }
    space_schema(space)


@pytest.mark.parametrize(
    ("space", "value"),
    [
        (spaces.Box(0, 255, (2,), np.uint8), [255, 0.5]),
        (spaces.Box(0, 255, (2,), np.uint8), [256, 0]),
        (spaces.MultiDiscrete([2, 5]), [2, 0]),
        (spaces.Dict(a=spaces.Discrete(2)), {"a": 1, "b": 1}),
        (spaces.Tuple((spaces.Discrete(3),)), [1, 1]),
        (spaces.Text(3), "abc"),
        (spaces.Box(-1, 1, (1,)), [[0.0]]),
        (spaces.Box(-1, 1, (1,)), [10**400]),
    ],
)
def test_what_is_no_observation_is_refused(space: Any, value: Any) -> None:
    with pytest.raises(RefusedError) as refused:
        parsed(value, space, "observation")
    assert refused.value.status == 422


def test_a_question_is_one_thing() -> None:
    assert parse_question(b'{"observation": 1}').is_single
    assert not parse_question(b'{"observations": [1]}').is_single
    with pytest.raises(RefusedError, match="masks: expected mask beside what is asked"):
        parse_question(b'{"observation": 1, "masks": [[true]]}')
