"""Strangers: what is not the viewer's own page on this machine, with the token, gets nothing."""

import json
import socket
import time
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.viewer.conftest import Served

Headers = dict[str, Any]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1"}, 421),  # DNS rebinding names a host of its own; the port is ours alone
        ({"Cookie": None}, 403),
        ({"Cookie": "rl_lab_1=x"}, 403),
        ({"Cookie": "PORT=wrong"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/runs", "/static/viewer.js", "/api/compare?ids=x", "/nothing"])
def test_strangers_are_refused(served: Served, headers: Headers, status: int, path: str) -> None:
    if headers.get("Cookie") == "PORT=wrong":
        headers = {"Cookie": f"rl_lab_{served.port}=wrong"}
    got, answered, content = served.ask(path, headers=headers)
    assert got == status
    assert content.startswith(b"refused: ")
    assert "default-src 'none'" in answered["content-security-policy"]


def test_the_token_opens_once_and_is_kept_in_a_cookie(served: Served) -> None:
    status, headers, _ = served.ask(f"/?token={served.token}", headers={"Cookie": None})
    assert (status, headers["location"]) == (303, "/")
    assert "HttpOnly" in headers["set-cookie"]
    assert "SameSite=strict" in headers["set-cookie"]
    assert served.ask("/?token=wrong", headers={"Cookie": None})[0] == 403
    assert served.ask(f"/api/runs?token={served.token}", headers={"Cookie": None})[0] == 403  # at the door only
    assert len(served.token) >= 32


def test_every_answer_is_hardened(served: Served) -> None:
    for path in ("/", "/static/style.css", "/api/runs", "/nothing"):
        _, headers, _ = served.ask(path)
        policy = headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "script-src 'self'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    "headers",
    [{"X-RL-Lab": None}, {"Origin": "http://evil.example"}, {"Cookie": None}, {"Host": "evil.example"}],
)
@pytest.mark.parametrize("path", ["/api/start", "/api/stop", "/api/trash"])
def test_other_sites_cannot_post(served: Served, headers: Headers, path: str) -> None:
    assert served.ask(path, "POST", {"source": "book-maze", "ids": ["x"], "yes": True}, headers)[0] in (403, 421)
    assert served.get("/api/start")["started"] == []


def test_bodies_are_bounded_and_checked(served: Served) -> None:
    assert served.ask("/api/start", "POST", b"x", {"Content-Length": "999999999"})[0] == 413
    for body in (b"", b"[]", b"{", b'{"source": 1}', b"[" * 50_000):
        status, _, content = served.ask("/api/start", "POST", body)
        assert (status, set(json.loads(content))) == (400, {"error"})
    for path in ("/api/start", "/api/trash"):
        assert served.ask(path, "PUT", {})[0] == 405


def test_bodies_of_two_lengths_are_refused(served: Served) -> None:
    headers = {"Content-Length": "2", "Transfer-Encoding": "chunked"}
    assert served.ask("/api/stop", "POST", b"2\r\n{}\r\n0\r\n\r\n", headers)[0] in (400, 411)


@pytest.mark.parametrize(
    "origin", [None, "http://evil.example", "null", "https://127.0.0.1:PORT", "http://127.0.0.1:1"]
)
def test_sockets_of_other_sites_are_refused(served: Served, origin: str | None) -> None:
    given = origin.replace("PORT", str(served.port)) if origin else None
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(
            f"ws://127.0.0.1:{served.port}/live",
            origin=given,  # type: ignore[arg-type]
            additional_headers={"Cookie": served.cookie},
            proxy=None,
        ),
    ):
        pass
    assert refused.value.response.status_code == 403


def test_a_socket_needs_the_cookie_and_the_host(served: Served) -> None:
    origin: Any = f"http://127.0.0.1:{served.port}"
    address = f"ws://127.0.0.1:{served.port}/live"
    with pytest.raises(InvalidStatus), connect(address, origin=origin, proxy=None):
        pass
    with connect(address, origin=origin, additional_headers={"Cookie": served.cookie}, proxy=None):
        pass


def test_who_connects_and_asks_nothing_is_left(served: Served) -> None:
    silent = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(200)]
    try:
        for one in silent:
            one.sendall(b"GET / HTTP/1.1\r\n")
        assert served.get("/api/runs")["runs"]
        deadline = time.monotonic() + 30
        silent[0].settimeout(30)
        assert silent[0].recv(1) == b""  # closed by the viewer
        assert time.monotonic() < deadline
    finally:
        for one in silent:
            one.close()
