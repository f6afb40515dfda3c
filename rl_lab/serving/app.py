"""The application: /v1/act, /v1/policy, /health, /metrics, /openapi.json."""

import asyncio
import contextlib
import hmac
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from rl_lab.serving.counters import Counters
from rl_lab.serving.description import describe_api
from rl_lab.serving.questions import LARGEST_BODY, Question, RefusedError, parse_question
from rl_lab.serving.served import Policies, Served

REFRESH_EVERY = 1.0  # seconds between two looks at the policies' files
BODY_WITHIN = 10.0  # seconds
MOST_READ = 4 * LARGEST_BODY  # bytes
HEADERS = {"x-content-type-options": "nosniff", "cache-control": "no-store"}
Handler = Callable[[Request], Awaitable[Response]]


class Server:
    """Answers for policies.

    Args:
        policies: that are served.
        token: which requests must bring; None: none.
        most_in_flight: requests that are answered at once; more are sent away.
        hosts: names by which it may be reached; None: any. Another site's page cannot use one of its own then.
    """

    def __init__(
        self, policies: Policies, *, token: str | None, most_in_flight: int, hosts: frozenset[str] | None
    ) -> None:
        self.policies, self.counters = policies, Counters()
        self._token, self._most, self._hosts, self._in_flight = token, most_in_flight, hosts, 0
        for served in policies.all():
            self.counters.serves(served)

    def app(self) -> Starlette:
        """The application."""
        paths: dict[str, tuple[str, Handler]] = {
            "/v1/act": ("POST", self._act),
            "/v1/policy": ("GET", self._policy),
            "/health": ("GET", self._health),
            "/metrics": ("GET", self._metrics),
            "/openapi.json": ("GET", self._openapi),
        }
        routes = [
            Route(path, self._guarded(path, handler), methods=[method]) for path, (method, handler) in paths.items()
        ]
        handlers: Any = {HTTPException: _refused_by_starlette, Exception: _failed}
        made = Starlette(routes=routes, exception_handlers=handlers, lifespan=self._lifespan)
        made.router.redirect_slashes = False  # redirects would be answered before any check
        return made

    def _guarded(self, path: str, handler: Handler) -> Handler:
        """A handler behind the checks that all have, with its requests counted."""

        async def guarded(request: Request) -> Response:
            try:
                self._check(request, open_to_all=path == "/health")
                response = await handler(request)
            except RefusedError as error:
                response = _error(error.status, str(error))
            except ClientDisconnect:
                response = _error(400, "the client has gone")
            self.counters.requests.labels(path, str(response.status_code)).inc()
            return response

        return guarded

    def _check(self, request: Request, *, open_to_all: bool) -> None:
        host = re.sub(r":\d+$", "", request.headers.get("host", ""))
        if self._hosts is not None and host.lower() not in self._hosts:
            raise RefusedError(421, f"expected one of the hosts {', '.join(sorted(self._hosts))}")
        if self._token is None or open_to_all:
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode(), self._token.encode()):
            raise RefusedError(401, "expected the header Authorization: Bearer TOKEN")

    async def _act(self, request: Request) -> Response:
        begun = time.perf_counter()
        if self._in_flight >= self._most:
            return _error(503, f"{self._most} requests are being answered: try again", {"retry-after": "1"})
        self._in_flight += 1
        self.counters.in_flight.set(self._in_flight)
        try:
            if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
                raise RefusedError(415, "expected content-type: application/json")
            question = parse_question(await _body(request))
            served = self.policies.get(question.policy)
            if served is None:
                names = ", ".join(one.name for one in self.policies.all())
                raise RefusedError(404, f"there is no policy {question.policy!r}; expected one of: {names}")
            return self._answer(served, question)
        finally:
            self._in_flight -= 1
            self.counters.in_flight.set(self._in_flight)
            self.counters.seconds.observe(time.perf_counter() - begun)

    def _answer(self, served: Served, question: Question) -> Response:
        observations = question.observations(served.spaces.observation_space)
        count = 1 if question.is_single else len(question.body["observations"])
        answer = served.answer(observations, count, question.masks(served.num_actions, count))
        self.counters.answered(served, answer)
        values: Any = answer.values
        if question.is_single:
            said = {"action": answer.actions[0], "values": None if values is None else values[0]}
        else:
            said = {"actions": answer.actions, "values": values}
        return _json(said | {"policy": served.name, "version": served.version})

    async def _policy(self, request: Request) -> Response:
        return _json({"policies": [served.describe() for served in self.policies.all()]})

    async def _health(self, request: Request) -> Response:
        return _json({"status": "ok"})

    async def _metrics(self, request: Request) -> Response:
        return Response(self.counters.text(), media_type="text/plain", headers=HEADERS)

    async def _openapi(self, request: Request) -> Response:
        return _json(describe_api(self.policies.all(), has_token=self._token is not None))

    @contextlib.asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Looks for new versions while the server runs; they are read in a thread, so that nobody waits."""

        async def look() -> None:
            while True:
                await asyncio.sleep(REFRESH_EVERY)
                for name, sound in await asyncio.to_thread(self.policies.refresh):
                    self.counters.swaps.labels(name, str(sound).lower()).inc()
                    served = self.policies.get(name)
                    if sound and served is not None:
                        self.counters.serves(served)

        task = asyncio.create_task(look())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _body(request: Request) -> bytes:
    """A request's body.

    Raises:
        RefusedError: it is too large, or does not come.
    """
    length = request.headers.get("content-length", "0")
    announced = int(length) if length.isascii() and length.isdigit() else 0
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_WITHIN):
            if announced <= MOST_READ:
                async for part in request.stream():  # what is too large is read too, so that the answer is heard
                    size += len(part)
                    if size > MOST_READ:
                        break
                    if size <= LARGEST_BODY:
                        parts.append(part)
    except TimeoutError:
        raise RefusedError(408, f"expected the body within {BODY_WITHIN:.0f} s") from None
    if max(size, announced) > LARGEST_BODY:
        raise RefusedError(413, f"expected a body of at most {LARGEST_BODY:,} bytes")
    return b"".join(parts)


def _json(values: dict[str, Any]) -> Response:
    return Response(json.dumps(values, allow_nan=False), media_type="application/json", headers=HEADERS)


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    data = json.dumps({"error": message})
    others = {"www-authenticate": "Bearer"} if status == 401 else {}
    return Response(data, status, headers=HEADERS | others | (headers or {}), media_type="application/json")


async def _refused_by_starlette(request: Request, error: HTTPException) -> Response:
    """No such path, or another method."""
    return _error(error.status_code, str(error.detail), dict(error.headers or {}))


async def _failed(request: Request, error: Exception) -> Response:
    """What no check has foreseen: it is logged, and not shown."""
    return _error(500, "the policy could not answer; the server's log says why")
