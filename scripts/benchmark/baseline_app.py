"""The baselines that speak HTTP, on the service's own stack: ``python -m scripts.benchmark.baseline_app FD``.

``/echo`` answers with the JSON it was sent. ``/cold`` runs the program in a new ``python3 -I -S -c``, with no
jail, no limits and no pool: what a service without a zygote pays at least. FD is a listening socket.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from scripts.benchmark.processes import base_python
from service.supervisor.kernel import die_with_parent


async def echo(request: Request) -> Response:
    """The least an endpoint can do with JSON."""
    return Response(orjson.dumps(orjson.loads(await request.body())), media_type="application/json")


async def cold(request: Request) -> Response:
    """A new interpreter for every request."""
    code = orjson.loads(await request.body())["code"]
    process = await asyncio.create_subprocess_exec(
        *(base_python(), "-I", "-S", "-c", code),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    stdout, stderr = await process.communicate()
    answer = {"stdout": stdout.decode(), "stderr": stderr.decode(), "exit_code": process.returncode}
    return Response(orjson.dumps(answer), media_type="application/json")


def main() -> None:
    """Entry point of the server process."""
    die_with_parent(signal.SIGKILL)
    app = Starlette(routes=[Route("/echo", echo, methods=["POST"]), Route("/cold", cold, methods=["POST"])])
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])


if __name__ == "__main__":
    main()
