"""An agent's life: scratch space, spawner, listening socket, signals, and the way out."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

from agentainer_flow.agent import spawner, worker
from agentainer_flow.agent.scratch import Scratch
from agentainer_flow.agent.server import Agent
from agentainer_flow.agent.settings import Settings
from agentainer_flow.agent.worker import Handle

LOOK_FOR_SLOW = 10.0


def run(settings: Settings, handle: Handle | None = None) -> int:
    """Until SIGTERM or SIGINT; the exit code. Raises `OSError` when the address cannot be had."""
    scratch = Scratch()
    control, pid = spawner.start(lambda sock: worker.run(sock, handle, scratch))
    try:
        return asyncio.run(_serve(settings, scratch, control, own=handle is not None))
    finally:
        control.close()
        os.waitpid(pid, 0)
        scratch.remove()


async def _serve(settings: Settings, scratch: Scratch, control: socket.socket, *, own: bool) -> int:
    loop = asyncio.get_running_loop()
    agent = Agent(settings, scratch, control, own=own)
    server = await loop.create_server(agent.connection, settings.host, settings.port, backlog=256)

    # Who leaves still listens until its last request ends: the body may wait for a reply.
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, agent.drain)
    port = server.sockets[0].getsockname()[1]
    if settings.port_file:
        _write(Path(settings.port_file), str(port))
    print(f"listening on {settings.host}:{port}", flush=True)
    watch = loop.create_task(_drop_slow(agent))
    try:
        code = await agent.stopped
    finally:
        watch.cancel()
        server.close()
        await agent.close()
    if code:
        print("the process that starts workers is gone", file=sys.stderr)
    return code


async def _drop_slow(agent: Agent) -> None:
    while True:
        await asyncio.sleep(LOOK_FOR_SLOW)
        now = asyncio.get_running_loop().time()
        for connection in list(agent.connections):
            connection.drop_if_slow(now)


def _write(path: Path, text: str) -> None:
    """In one move: who sees the file sees all of it."""
    partial = path.with_name(f"{path.name}.part")
    partial.write_text(text)
    partial.replace(path)
