"""What a server of policies refuses, each in a line, and what it then goes on with."""

import contextlib
import socket
import time
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from schemathesis import GenerationMode

from tests.conftest import Command
from tests.served import TOKEN, Running, serving


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
            body = case.body if isinstance(case.body, dict) else {}
            if mode == GenerationMode.POSITIVE and "masks" in body:  # "as many as" is what JSON Schema cannot say
                assume(len(body["masks"]) == len(body["observations"]))
            case.call_and_validate()  # status, content type and schema as described; what is wrong is refused

        ask()
