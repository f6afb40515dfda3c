"""HTTP as uvicorn speaks it, with little patience for those who connect and ask nothing."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

PATIENCE = 5.0  # seconds that a connection may take for the head of a request


class Impatient(H11Protocol):
    """Closes a connection that has asked for nothing for a while: half-open ones would keep others out."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        self._looks: Any = self.loop.call_later(PATIENCE, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone."""
        self._looks.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        """Close the connection if no request is being answered; look again later, unless it is no HTTP any more."""
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            return
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
        else:
            self._looks = self.loop.call_later(PATIENCE, self._look)
