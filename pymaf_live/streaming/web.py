"""Streaming to web pages on this computer: JSON over WebSocket, and a page that draws the body.

The server listens on a loopback address only, serves nothing without the token, and ignores what
clients send. docs/live-streaming.md describes the messages.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

from pymaf_live.body import Body, joint_transforms, rest_joints
from pymaf_live.body.rotations import quaternion_from_matrix
from pymaf_live.errors import OutputError, UsageError
from pymaf_live.resources import resource
from pymaf_live.streaming.address import Address, resolve
from pymaf_live.streaming.humanoid import UNITY_FROM_CAMERA
from pymaf_live.streaming.streamed_person import StreamedPerson
from pymaf_live.streaming.udp_stream import SendRate
from pymaf_live.system.bounded_queue import THREAD_PREFIX
from pymaf_live.types import Array, FrameResult, Person

if TYPE_CHECKING:
    from websockets.http11 import Request, Response
    from websockets.sync.server import ServerConnection

PROTOCOL, VERSION = "pymaf-live", 1
_PAGE = "web/live.html"
_MAX_CLIENTS = 8
_MAX_INCOMING_BYTES = 1024
_CLOSE_TIMEOUT_S = 1.0
_POLL_S = 0.2
_RIGHT_HANDED: Array = np.array([1.0, -1.0, -1.0])
"""From the camera frame to x right, y up, z towards the camera: WebGL's."""


class WebStream:
    """Serves the people of every result to web pages on this computer.

    A client that is slower than the source receives the newest frames; `lost` counts those it
    missed.

    Parameters
    ----------
    body : Body
    address : Address
        Loopback address and TCP port to listen on; port 0 takes a free one.

    Raises
    ------
    UsageError
        If the address is not a loopback one.
    OutputError
        If the port is taken or the page is missing.
    """

    def __init__(self, body: Body, address: Address) -> None:
        from websockets.sync.server import serve

        require_loopback(address)
        self._body = body
        self._who = StreamedPerson(body)
        self._selected: int | None = None
        self._token = secrets.token_urlsafe(16)
        self._page = resource(_PAGE).read_text(encoding="utf-8")
        self._news = threading.Condition()
        self._message, self._number, self._clients = "", 0, 0
        self._closed = False
        self._figures = SendRate()
        self.failure = ""
        """Always empty: clients come and go."""
        try:
            self._server = serve(
                self._serve_client,
                resolve(address)[1][0],
                address.port,
                process_request=self._respond,
                compression=None,
                close_timeout=_CLOSE_TIMEOUT_S,
                max_size=_MAX_INCOMING_BYTES,
                server_header=None,
                logger=_silent_logger(),
            )
        except OSError as error:
            raise OutputError(f"Cannot listen at {address}: {error.strerror or error}") from error
        port = int(self._server.socket.getsockname()[1])
        self.address = Address(address.host, port)
        self.url = f"http://{self.address}/?token={self._token}"
        """Address of the page, with the token."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, name=f"{THREAD_PREFIX}web stream", daemon=True
        )
        self._thread.start()

    def send(self, result: FrameResult) -> None:
        """Pass a result to all clients; never blocks on them."""
        people = result.people
        if self._selected is not None:
            people = tuple(person for person in people if person.id == self._selected)
        origin = np.zeros(3)
        chosen = self._who.choose(people)
        if chosen is not None:
            # camera to Unity negates all axes, camera to the page's frame the last two
            origin = self._who.origin(chosen) @ UNITY_FROM_CAMERA * _RIGHT_HANDED
        message = json.dumps(
            {
                "type": "frame",
                "frame": result.frame.index,
                "time": round(result.frame.time, 4),
                "people": [self._as_json(person, origin) for person in people],
            },
            separators=(",", ":"),
        )
        with self._news:
            self._message, self._number = message, self._number + 1
            self._news.notify_all()

    def select_person(self, person: int | None) -> None:
        """Stream the person with an id only; None streams all people."""
        self._selected = person
        self._who.select(person)

    def set_origin(self) -> None:
        """Move the origin to the person's position in the next result."""
        self._who.set_origin()

    @property
    def sent(self) -> int:
        """Number of frames sent, summed over the clients."""
        return self._figures.sent

    @property
    def lost(self) -> int:
        """Number of frames that clients were too slow to receive, summed over them."""
        return self._figures.lost

    @property
    def rate(self) -> float:
        """Frames sent per second, summed over the clients."""
        return self._figures.per_second

    def close(self) -> None:
        """Close the connections and the server. Thread-safe."""
        with self._news:
            if self._closed:
                return
            self._closed = True
            self._news.notify_all()
        self._server.shutdown()
        self._thread.join(_CLOSE_TIMEOUT_S)

    def _as_json(self, person: Person, origin: Array) -> dict[str, Any]:
        rest = rest_joints(self._body, person.shape)
        world, _ = joint_transforms(self._body, person.rotations, rest)
        turned = _RIGHT_HANDED[:, None] * world
        quaternions = np.roll(quaternion_from_matrix(turned), -1, axis=-1)
        joints = person.joints * _RIGHT_HANDED - origin
        return {
            "id": person.id,
            "score": round(float(person.score), 3),
            "joints": np.round(joints, 4).tolist(),
            "rotations": np.round(quaternions, 5).tolist(),
            "joint_score": np.round(person.joint_score, 3).tolist(),
        }

    def _hello(self) -> str:
        return json.dumps(
            {
                "type": "hello",
                "protocol": PROTOCOL,
                "version": VERSION,
                "joint_names": list(self._body.joint_names),
                "parents": self._body.parents.tolist(),
            }
        )

    def _respond(self, connection: ServerConnection, request: Request) -> Response | None:
        """Serve the page, let WebSocket connections through, and refuse everything else."""
        try:
            parts = urlsplit(request.path)
            token = parse_qs(parts.query, max_num_fields=8).get("token", [""])[0]
        except ValueError:
            return connection.respond(HTTPStatus.BAD_REQUEST, "Bad request.\n")
        if not secrets.compare_digest(token.encode(), self._token.encode()):
            return connection.respond(HTTPStatus.FORBIDDEN, "The token is missing or wrong.\n")
        if parts.path == "/stream":
            if self._clients >= _MAX_CLIENTS:
                return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "Too many clients.\n")
            return None
        if parts.path != "/":
            return connection.respond(HTTPStatus.NOT_FOUND, "Not found.\n")
        response = connection.respond(HTTPStatus.OK, self._page)
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "text/html; charset=utf-8"
        response.headers["Cache-Control"] = "no-store"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    def _serve_client(self, connection: ServerConnection) -> None:
        from websockets.exceptions import ConnectionClosed

        with self._news:
            self._clients += 1
            last = self._number
        try:
            connection.send(self._hello())
            while True:
                with self._news:
                    if self._number == last and not self._closed:
                        self._news.wait(_POLL_S)
                    if self._closed:
                        return
                    number, message = self._number, self._message
                _discard_incoming(connection)
                if number == last:
                    continue
                connection.send(message)
                for _ in range(number - last - 1):
                    self._figures.count(sent=False)
                self._figures.count(sent=True)
                last = number
        except ConnectionClosed:
            pass
        finally:
            with self._news:
                self._clients -= 1


def require_loopback(address: Address) -> None:
    """Refuse an address that other computers could reach.

    Raises
    ------
    UsageError
    """
    if not address.loopback:
        raise UsageError(f"Web pages are served to this computer only, not at {address.host}.")


def _discard_incoming(connection: ServerConnection) -> None:
    """Drop what the client sent; raises ConnectionClosed once it has gone."""
    try:
        while True:
            connection.recv(timeout=0)
    except TimeoutError:
        return


def _silent_logger() -> logging.Logger:
    # refused requests are no events of this program
    logger = logging.getLogger("pymaf_live.web_stream")
    logger.setLevel(logging.CRITICAL)
    return logger
