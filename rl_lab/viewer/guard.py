"""Who may talk to the viewer: this machine, with the token, from the viewer's own page.

On a shared machine loopback is not private, and the viewer starts processes: so there is always a token, in the
printed address once, then in a cookie that scripts and other sites do not get.
"""

import hmac
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}
OWN_HEADER = "x-rl-lab"  # on every POST: a page of another site cannot send it
LARGEST_BODY = 100_000  # bytes
PAIR = "token"  # of the printed address


class Guard:
    """Lets through what comes from the viewer's own page, and nothing else.

    Args:
        app: what is guarded.
        token: the secret.
        hosts: names and ports by which the server is reached, such as "127.0.0.1:8321".
        cookie: the cookie's name, of its own for each port.
    """

    def __init__(self, app: ASGIApp, token: str, hosts: frozenset[str], cookie: str) -> None:
        self._app, self._token, self._hosts, self._cookie = app, token, hosts, cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, _hardened(send))
        elif scope["type"] == "websocket":
            await receive()  # the handshake; closed before it is accepted, it is answered with 403
            await send({"type": "websocket.close", "code": 1008, "reason": "refused"})
        else:
            await refusal(scope, receive, _hardened(send))

    def _refusal(self, scope: Scope) -> Response | None:
        """What a request is answered that is not let through; None where it is."""
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return _refused("expected the address that rl-lab ui printed, got another host", 421)
        origins = headers.getlist("origin")
        allowed = {f"http://{host}" for host in self._hosts}
        if any(origin.lower() not in allowed for origin in origins):
            return _refused("expected a request of the viewer's own page, got one of another site")
        if scope["type"] == "websocket" and not origins:
            return _refused("expected a request of the viewer's own page, got one without an origin")
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD", "POST"):
            return _refused("expected GET or POST", 405)
        given = parse_qs(scope["query_string"].decode("latin-1")).get(PAIR, [])
        if scope["type"] == "http" and scope["path"] == "/" and len(given) == 1 and self._matches(given[0]):
            return self._welcome()
        if not any(self._matches(value) for value in self._cookies(headers)):
            return _refused("expected the token: open the address that rl-lab ui printed")
        if scope["type"] == "http" and scope["method"] == "POST":
            if headers.get(OWN_HEADER) != "1":
                return _refused(f"expected the header {OWN_HEADER}")
            if "transfer-encoding" in headers:
                return _refused("expected a body of a known length", 411)
            length = headers.get("content-length", "")
            if not length.isascii() or not length.isdigit() or int(length) > LARGEST_BODY:
                return _refused(f"expected a body of at most {LARGEST_BODY:,} bytes", 413)
        return None

    def _matches(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._token.encode())

    def _cookies(self, headers: Headers) -> list[str]:
        values = []
        for header in headers.getlist("cookie"):
            try:
                parsed = SimpleCookie(header)
            except CookieError:
                continue
            if self._cookie in parsed:
                values.append(parsed[self._cookie].value)
        return values

    def _welcome(self) -> Response:
        """Into the viewer, with the cookie instead of the token in the address."""
        response = RedirectResponse("/", status_code=303)
        response.set_cookie(self._cookie, self._token, httponly=True, samesite="strict", path="/")
        return response


def _refused(reason: str, status: int = 403) -> Response:
    return PlainTextResponse(f"refused: {reason}\n", status_code=status)


def _hardened(send: Send) -> Send:
    """The same, with our headers on every answer."""

    async def hardened(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
        await send(message)

    return hardened
