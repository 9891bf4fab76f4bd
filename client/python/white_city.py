"""A party of a White City board, by way of the gateway on its machine.

A gateway signs, seals, verifies and journals; this is a thin way to it. All calls can be made again: while the gateway is away, or others
have to act first, they are, until `patience` is over.
"""

from __future__ import annotations

import base64
import dataclasses
import http.client
import json
import pathlib
import socket
import time
import urllib.parse
from typing import Any, Iterator, Mapping, Optional

__all__ = ["Gateway", "Session", "Inbox", "Failure"]

# Longest that one request waits at the gateway, seconds.
_WAIT = 30
# Pause before a gateway that is away is asked again, seconds.
_PAUSE = 0.2


class Failure(Exception):
    """The gateway's no: `number` and `name` say which one, for ever, and the text what was expected."""

    def __init__(self, status: int, said: Mapping[str, Any]):
        super().__init__(said.get("error") or said.get("text") or f"status {status}")
        self.status = status
        self.number: int = said.get("failure", 9000 if status == 202 else 0)
        self.name: str = said.get("failure_name", "waiting" if status == 202 else "other")
        self.said = dict(said)


@dataclasses.dataclass(frozen=True)
class Inbox:
    """One closed round: who posted, the broadcasts, and what was sealed to this party."""

    round: int
    posted: list[int]
    broadcasts: dict[int, bytes]
    p2p: dict[int, bytes]


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float):
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Gateway:
    """A gateway at `HOST:PORT` or `unix:PATH`, with the token of its file."""

    def __init__(
        self,
        address: str = "127.0.0.1:8787",
        *,
        token: Optional[str] = None,
        token_file: Optional[str] = None,
        patience: float = 600,
    ):
        if token is None and token_file is None:
            raise ValueError("expected token or token_file")
        self._address = address
        self._token = token if token is not None else pathlib.Path(token_file or "").read_text().strip()
        self._patience = patience

    def session(self, session: str) -> Session:
        """This party's part in a session."""
        return Session(self, session)

    def party(self) -> dict[str, Any]:
        """This party's key, and its network."""
        return self._call("GET", "/v1/party")

    def sessions(self) -> list[dict[str, Any]]:
        """The sessions with this party in their roster, as one replica says."""
        return self._call("GET", "/v1/sessions")["sessions"]

    def open(self, request: str, protocol: str, roster: list[str], **spec: Any) -> Session:
        """Opens a session. The same `request` opens the same one, however often it is asked for."""
        if isinstance(spec.get("input"), bytes):
            spec["input"] = spec["input"].hex()
        body = {"request": request, "protocol": protocol, "roster": roster, **spec}
        return Session(self, self._call("POST", f"/v1/sessions?wait_ms={_WAIT * 1000}", body)["session"])

    def _connection(self) -> http.client.HTTPConnection:
        if self._address.startswith("unix:"):
            return _UnixConnection(self._address[5:], _WAIT + 30)
        return http.client.HTTPConnection(self._address, timeout=_WAIT + 30)

    def _ask(self, method: str, path: str, body: Any = None) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = self._connection()
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"Authorization": f"Bearer {self._token}"})
            return connection, connection.getresponse()
        except BaseException:
            connection.close()
            raise

    def _once(self, method: str, path: str, body: Any) -> Any:
        connection, response = self._ask(method, path, body)
        try:
            said = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise Failure(response.status, said)
        return said

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        until = time.monotonic() + self._patience
        while True:
            try:
                return self._once(method, path, body)
            except Failure as failure:
                # Others have to act first; or nothing was decided yet, and it goes on with what was signed.
                if failure.status not in (202, 503) or time.monotonic() > until:
                    raise
                pause = 0 if failure.status == 202 else _PAUSE
            except (OSError, http.client.HTTPException, ValueError):
                if time.monotonic() > until:
                    raise
                pause = _PAUSE
            time.sleep(pause)


class Session:
    """One session, by its id."""

    def __init__(self, gateway: Gateway, session: str):
        self.gateway = gateway
        self.id = session

    def read(self) -> dict[str, Any]:
        """What the session is: `spec`, and this party's `index`. Read it before joining: joining consents to it."""
        return self._call("GET", "")

    def join(self) -> int:
        """Consents to the session, and gives this party's index."""
        return self._call("POST", "/join", wait=True)["index"]

    def decline(self, reason: int = 0) -> None:
        """Refuses to join."""
        self._call("POST", "/decline", {"reason": reason}, wait=True)

    def abort(self, cause: int = 0, about: Optional[int] = None, detail: Optional[bytes] = None) -> None:
        """Leaves after joining; `about` is a party, as a claim."""
        body = {"cause_number": cause, "about": about, "detail": detail.hex() if detail else None}
        self._call("POST", "/abort", body, wait=True)

    def post(self, round: int, broadcast: bytes = b"", p2p: Optional[Mapping[int, bytes]] = None) -> None:
        """Posts, once the round is open. The same again is fine, and anything else for the round is refused."""
        sealed = {str(to): _text(data) for to, data in (p2p or {}).items()}
        self._call("PUT", f"/rounds/{round}", {"broadcast": _text(broadcast), "p2p": sealed}, wait=True)

    def inbox(self, round: int) -> Inbox:
        """Waits until a round has closed, and gives what it holds for this party."""
        said = self._call("GET", f"/rounds/{round}", wait=True)
        opened = [{int(who): _bytes(text) for who, text in said[what].items()} for what in ("broadcasts", "p2p")]
        return Inbox(said["round"], said["posted"], opened[0], opened[1])

    def finish(self, outcome: bytes) -> None:
        """Says that this party is done, with 32 bytes that name the result."""
        self._call("POST", "/finish", {"outcome": outcome.hex()}, wait=True)

    def end(self) -> dict[str, Any]:
        """Waits for the end: `result` is finished, aborted or unknown."""
        return self._call("GET", "/end", wait=True)

    def complain(self, round: int, sender: int) -> None:
        """Complains about a payload that can't be opened (failure 8000). The session ends of it."""
        self._call("POST", "/complain", {"round": round, "from": sender}, wait=True)

    def progress(self) -> dict[str, Any]:
        """How the session stands."""
        return self._call("GET", "/progress")

    def events(self) -> Iterator[dict[str, Any]]:
        """Each change of the session, and its end. Ends early if the gateway does."""
        connection, response = self.gateway._ask("GET", f"/v1/sessions/{self.id}/events")
        try:
            if response.status != 200:
                raise Failure(response.status, json.loads(response.read()))
            for line in response:
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])
        finally:
            connection.close()

    def receipt(self, kind: str = "ceremony", **place: int) -> bytes:
        """A file that proves something about the session to anybody: `white-city verify`."""
        query = urllib.parse.urlencode({"kind": kind, **place})
        return _bytes(self._call("GET", f"/receipt?{query}")["receipt"])

    def randomness(self, purpose: str) -> bytes:
        """32 secret bytes: always the same for one purpose in this session, also after a crash."""
        return _bytes(self._call("GET", f"/randomness/{_quoted(purpose)}", wait=True)["data"])

    def remember(self, name: str, data: bytes) -> None:
        """Keeps the protocol's own state, encrypted and synced when this returns. What depends on it is posted after that."""
        self._call("PUT", f"/memory/{_quoted(name)}", {"data": _text(data)}, wait=True)

    def recall(self, name: str) -> Optional[bytes]:
        """The state that was remembered last under a name."""
        try:
            return _bytes(self._call("GET", f"/memory/{_quoted(name)}", wait=True)["data"])
        except Failure as failure:
            if failure.name == "not_remembered":
                return None
            raise

    def forget(self, outcome: Optional[bytes] = None) -> None:
        """Deletes the session's keys, once the result is safe."""
        self._call("DELETE", "" if outcome is None else f"?outcome={outcome.hex()}")

    def _call(self, method: str, path: str, body: Any = None, wait: bool = False) -> Any:
        query = f"?wait_ms={_WAIT * 1000}" if wait else ""
        return self.gateway._call(method, f"/v1/sessions/{self.id}{path}{query}", body)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)


def _quoted(part: str) -> str:
    return urllib.parse.quote(part, safe="")
