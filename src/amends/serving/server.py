"""The server's process: listens, serves until it is told to stop, and lets open answers end."""

import asyncio
import errno
import logging
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address

import uvicorn
from fastapi import FastAPI

from amends.errors import InputError
from amends.serving.backend import Backend
from amends.serving.connections import CutConnection
from amends.serving.keys import VARIABLE, Keys
from amends.serving.settings import ServeSettings

KEEP_ALIVE_SECONDS = 30


def listen(settings: ServeSettings, keys: Keys) -> socket.socket:
    """The socket of the server, before anything is loaded.

    Raises InputError where the port is taken, the host is none of this machine, or everybody would be let in.
    """
    if not keys and not settings.without_keys and not _is_here(settings.host):
        raise InputError(
            f"--host {settings.host}: other machines would be answered without keys; set {VARIABLE}, or add "
            "--without-keys"
        )
    place = f"{settings.host}:{settings.port}"
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        # With TCP by its number: asyncio sends at once on such sockets alone, and others wait 40 ms for an ACK.
        listening = socket.socket(*family[:3])
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(family[4])
        listening.listen(2_048)  # now: else another one could take it while a model loads
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InputError(f"{place}: the port is taken; name another with --port, or stop what listens") from None
        if error.errno == errno.EACCES:
            raise InputError(f"{place}: the port is not allowed to you; name one from 1024 on with --port") from None
        raise InputError(f"{place}: cannot be listened at ({error.strerror}); name an address that is here") from None
    return listening


def run_server(
    app: Callable[[], FastAPI], backend: Backend, settings: ServeSettings, listening: socket.socket, title: str
) -> None:
    """Serves until SIGTERM or Ctrl-C; then open answers have `settings.shutdown_seconds` to end.

    Args:
        app: makes the application, within the loop that it serves in.
        backend: is started before anything is served. Raises AmendsError where it cannot answer.
        title: what is served, for the line that says so.
    """
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    host, port = listening.getsockname()[:2]
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def run() -> None:
        try:
            await backend.start()
        except BaseException:
            await backend.stop()
            raise
        print(f"amends: {title} at http://{place}/v1 (Ctrl-C stops)", file=sys.stderr, flush=True)
        await server_of(app(), settings).serve(sockets=[listening])

    with suppress(KeyboardInterrupt):  # uvicorn raises again what it was stopped by
        asyncio.run(run())
    print("amends: stopped", file=sys.stderr)


def server_of(app: FastAPI, settings: ServeSettings) -> uvicorn.Server:
    """What serves an application on a socket, within a running loop. It stops when `should_exit` is set."""
    configuration = uvicorn.Config(
        app,
        http=CutConnection,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=settings.max_connections,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    return uvicorn.Server(configuration)


def _is_here(host: str) -> bool:
    """Whether only this machine can reach it."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
