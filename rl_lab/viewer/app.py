"""The viewer's pages and what they ask for. Every handler gets ids and numbers; none gets a path."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from experiments.errors import InputError, shown
from experiments.files import read_bytes
from experiments.runs.run_folder import EPISODES_LOG, EVALUATIONS_LOG, LEARNING_LOG
from rl_lab.viewer.curves import CurveQuery, CurveReader
from rl_lab.viewer.index import RunIndex
from rl_lab.viewer.logs import LogCache
from rl_lab.viewer.playing import Workers
from rl_lab.viewer.starting import Starter
from rl_lab.viewer.trash import move_to_trash
from rl_lab.web.words import words

EVERY = 0.7  # seconds between two looks at the runs, while a page is open
MOST_CURVES = 1_000  # runs whose curves are asked for at once
MOST_RACERS = 6
MOST_WAITING = 8  # requests that wait for an episode in threads of their own; others wait without
RAW = {"episodes": EPISODES_LOG, "evaluations": EVALUATIONS_LOG, "learning": LEARNING_LOG}
LARGEST_RAW = 200_000_000  # bytes of a log that is handed out
KINDS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
Handler = Callable[[Request], Any]


class Viewer:
    """What the handlers share.

    Args:
        folder: whose runs are shown.
        specs: the folder whose specs are offered.
        trust_code: runs with code of the user's own may be played.
    """

    def __init__(self, folder: Path, specs: Path, *, trust_code: bool) -> None:
        self.folder, self.trust_code = folder, trust_code
        self.index = RunIndex(folder)
        self.curves = CurveReader(LogCache())
        self.workers = Workers()
        self._playing = CapacityLimiter(MOST_WAITING)
        self.starter = Starter(folder, specs, trust_code=trust_code)

    def app(self) -> Starlette:
        """The application, not yet guarded."""
        gets: dict[str, Handler] = {
            "/api/runs": self._runs,
            "/api/curves": self._curves,
            "/api/start": self._offered,
        }
        plays: dict[str, Handler] = {
            "/api/moments": self._moments,
            "/api/recording": self._recording,
            "/api/compare": self._compare,
            "/api/figure": self._figure,
        }
        posts: dict[str, Callable[[dict[str, Any]], Any]] = {
            "/api/start": self._start,
            "/api/stop": self._stop,
            "/api/trash": self._trash,
        }
        routes = [
            Route("/", _page),
            Route("/static/{name}", _static),
            Route("/api/raw/{run}/{log}.csv", _plain(self._raw)),
            *(Route(path, _json(handler)) for path, handler in gets.items()),
            *(Route(path, _json(handler, self._playing)) for path, handler in plays.items()),
            *(Route(path, _posted(handler), methods=["POST"]) for path, handler in posts.items()),
            WebSocketRoute("/live", self._live),
        ]
        return Starlette(routes=routes, lifespan=self._lifespan)

    @contextlib.asynccontextmanager
    async def _lifespan(self, app: Starlette) -> Any:
        try:
            yield
        finally:
            await run_in_threadpool(self.close)

    def close(self) -> None:
        """Stop what was started here, and the processes that play."""
        self.starter.close()
        self.workers.close()

    # -- what is asked ----------------------------------------------------------------------------------------

    def _runs(self, request: Request) -> Any:
        entries = self.index.scan()
        return {
            "folder": shown(str(self.folder)),
            "runs": [entry.to_json() for entry in entries.values()],
            "links": self.index.links,
            "truncated": self.index.truncated,
            "trust_code": self.trust_code,
        }

    def _curves(self, request: Request) -> Any:
        ask = request.query_params
        query = CurveQuery(
            kind=ask.get("kind", "evaluation"),
            axis=ask.get("axis", "steps"),
            smoothing=_whole(ask.get("smoothing", "1"), "smoothing"),
            low=_number(ask.get("low")),
            high=_number(ask.get("high")),
            width=_whole(ask.get("width", "800"), "width"),
        )
        ids = self._ids(request, MOST_CURVES)
        return self.curves.curves([(one, self.index.path(one)) for one in ids], query).to_json()

    def _moments(self, request: Request) -> Any:
        (run,) = self._ids(request, 1)
        return self._ask([run], {"do": "moments"})

    def _recording(self, request: Request) -> Any:
        ask = request.query_params
        ids = self._ids(request, MOST_RACERS)
        values = {
            name: None if ask.get(name) is None else _whole(ask[name], name) for name in ("seed", "at", "episode")
        }
        number = _whole(ask.get("number", "0"), "number")
        if number > 10_000 or (values["seed"] or 0) >= 2**31:
            raise InputError("number, seed: expected at most 10,000 and less than 2 ** 31")
        return self._ask(ids, {"do": "recording", "number": number, "exact": ask.get("exact") == "1", **values})

    def _compare(self, request: Request) -> Any:
        return self._ask(self._ids(request, MOST_CURVES), {"do": "comparison"}, kind="tables")

    def _figure(self, request: Request) -> Any:
        ask = request.query_params
        asked = {"do": "figure", "env": ask.get("env", ""), "format": ask.get("format", "png")}
        return self._ask(self._ids(request, MOST_CURVES), asked, kind="tables")

    def _raw(self, request: Request) -> Response:
        log = request.path_params["log"]
        if log not in RAW:
            raise InputError(f"expected one of {', '.join(RAW)}, got {shown(log)[:40]!r}")
        path = self.index.path(request.path_params["run"])
        content = read_bytes(path / RAW[log], largest=LARGEST_RAW, follow=False)
        headers = {"content-disposition": f'attachment; filename="{log}.csv"'}
        return Response(content, media_type="text/csv; charset=utf-8", headers=headers)

    def _offered(self, request: Request) -> Any:
        return {**self.starter.offered(), "started": self.starter.started()}

    def _start(self, values: dict[str, Any]) -> Any:
        numbers = {name: values.get(name) for name in ("seeds", "steps", "jobs", "batch", "max_seeds")}
        for name, value in numbers.items():
            if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
                raise InputError(f"{name}: expected a whole number, got {value!r}")
        if "experiment" in values:
            return self.starter.go_on(str(values["experiment"]), numbers["batch"] or 0, numbers["max_seeds"] or 0)
        return self.starter.start(str(values.get("source")), numbers["seeds"], numbers["steps"], numbers["jobs"])

    def _stop(self, values: dict[str, Any]) -> Any:
        return self.starter.stop(str(values.get("id")))

    def _trash(self, values: dict[str, Any]) -> Any:
        ids = values.get("ids")
        if not isinstance(ids, list) or not ids or not all(isinstance(one, str) for one in ids):
            raise InputError("ids: expected a list of ids of runs")
        if values.get("yes") is not True:
            raise InputError("expected yes: true, since runs are moved away")
        paths = [self.index.path(one) for one in dict.fromkeys(ids)]
        moved: list[str] = []
        for path in paths:
            try:
                moved.append(shown(str(move_to_trash(self.folder, path).relative_to(self.folder))))
            except InputError as error:
                raise InputError(f"{error} ({len(moved)} of {len(paths)} were moved before it)") from error
        return {"moved": moved}

    def _ids(self, request: Request, most: int) -> list[str]:
        ids = [one for one in request.query_params.get("ids", "").split(",") if one]
        if not 1 <= len(ids) <= most:
            raise InputError(f"ids: expected 1 to {most:,} ids of runs, got {len(ids)}")
        return list(dict.fromkeys(ids))

    def _ask(self, ids: Sequence[str], request: dict[str, Any], kind: str | None = None) -> Any:
        if kind is None:
            agents = [self.index.entry(one).settings.get("id", "") for one in ids]
            kind = (
                "networks" if any(str(agent).startswith("sb3_") or ":" in str(agent) for agent in agents) else "tables"
            )
        paths = [str(self.index.path(one)) for one in ids]
        return self.workers.ask(kind, {**request, "runs": paths, "trust_code": self.trust_code})

    # -- what is told -----------------------------------------------------------------------------------------

    async def _live(self, socket: WebSocket) -> None:
        """Tell a page what has changed, for as long as it is open."""
        await socket.accept()
        gone = asyncio.ensure_future(_until_closed(socket))
        before: dict[str, Any] | None = None
        started: list[dict[str, Any]] = []
        try:
            while not gone.done():
                entries = await run_in_threadpool(self.index.scan)
                now = self.starter.started()
                known = before or {}
                changed = [entry.to_json() for run_id, entry in entries.items() if known.get(run_id) != entry]
                lost = [run_id for run_id in known if run_id not in entries]
                if before is not None and (changed or lost or now != started):
                    await socket.send_text(
                        json.dumps({"changed": changed, "gone": lost, "started": now}, allow_nan=False)
                    )
                before, started = entries, now
                await asyncio.wait([gone], timeout=EVERY)
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            gone.cancel()


async def _until_closed(socket: WebSocket) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while True:
            if len(await socket.receive_text()) > 1_000:
                return


def _page(request: Request) -> Response:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(loader=PackageLoader("rl_lab.viewer"), autoescape=True, undefined=StrictUndefined)
    text = environment.get_template("viewer.html.jinja").render(words=words())
    return Response(text, media_type="text/html; charset=utf-8")


def _static(request: Request) -> Response:
    """A module, the style or an icon: one of the files that are there, by its name."""
    name = request.path_params["name"]
    files = {file.name: file for file in (resources.files("rl_lab.web") / "static").iterdir()}
    kind = KINDS.get(Path(name).suffix)
    if name not in files or kind is None:
        return Response("not found\n", status_code=404, media_type="text/plain")
    return Response(files[name].read_bytes(), media_type=f"{kind}; charset=utf-8")


def _json(handler: Handler, limiter: CapacityLimiter | None = None) -> Callable[[Request], Awaitable[Response]]:
    """A handler whose result is JSON; what was asked wrongly is answered in a line."""
    return _plain(lambda request: _answer(handler(request)), limiter)


def _answer(values: Any) -> Response:
    return Response(json.dumps(values, allow_nan=False), media_type="application/json")


def _plain(handler: Handler, limiter: CapacityLimiter | None = None) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        try:
            made: Response = await to_thread.run_sync(handler, request, limiter=limiter)
        except (InputError, OSError) as error:
            return _wrong(error)
        return made

    return handle


def _posted(handler: Callable[[dict[str, Any]], Any]) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        try:
            values = json.loads(await request.body())
            if not isinstance(values, dict):
                raise ValueError("expected an object")
            return _answer(await run_in_threadpool(handler, values))
        except (InputError, OSError, ValueError, RecursionError) as error:
            return _wrong(error)

    return handle


def _wrong(error: BaseException) -> Response:
    return JSONResponse({"error": shown(" ".join(str(error).split()))[:2_000]}, status_code=400)


def _number(text: str | None) -> float | None:
    try:
        number = None if text is None else float(text)
    except ValueError:
        raise InputError(f"expected a number, got {shown(str(text))[:40]!r}") from None
    if number is not None and number != number:
        raise InputError("expected a number, got nan")
    return number


def _whole(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 15:
        raise InputError(f"{name}: expected a whole number, got {shown(text)[:40]!r}")
    return int(text)
