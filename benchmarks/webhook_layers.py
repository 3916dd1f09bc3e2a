"""CPU of one webhook: httpx2, the httpcore2 below it, and our client on h11, against a server in another process.

    python -m benchmarks.webhook_layers [requests]

One kept connection, POST with 12 parameters, a document of some 200 bytes. The figures are CPU milliseconds of this
process for each request, the best of five rounds.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from urllib.parse import urlencode

import httpcore2
import httpx2
import trio

from offhook.transport.trio_network import TrioNetwork
from offhook.transport.webhook import WebhookClient, WebhookRequest
from offhook.twiml.signature import sign

PARAMS = tuple((f"Parameter{number}", f"value {number} of +15005550006") for number in range(12))
SERVER = """
import trio
from offhook.testing.web import CustomerApp, twiml
from offhook.transport.trio_network import TrioNetwork
async def main():
    app = CustomerApp()
    app.on("*", twiml("<Say>" + "x" * 100 + "</Say><Hangup/>"))
    async with app.serving(TrioNetwork(), ("127.0.0.1", 0)) as address:
        print(address[1], flush=True)
        await trio.sleep_forever()
trio.run(main)
"""
ROUNDS = 5


async def measured(once: Callable[[], Awaitable[object]], count: int) -> float:
    """CPU milliseconds of one `once()`."""
    for _ in range(50):
        await once()
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(count):
            await once()
        best = min(best, (time.process_time() - started) / count * 1000)
    return best


async def compare(port: int, count: int) -> dict[str, float]:
    """The three layers one after the other."""
    url = f"http://127.0.0.1:{port}/voice"
    network, networks = TrioNetwork(), ["127.0.0.0/8"]
    results: dict[str, float] = {}
    async with httpcore2.AsyncConnectionPool() as pool:

        async def core() -> None:
            body = urlencode(PARAMS).encode()
            headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Content-Length", str(len(body)))]
            await pool.request("POST", url, headers=headers, content=body)

        results["httpcore2"] = await measured(core, count)
    async with httpx2.AsyncClient(trust_env=False) as client:

        async def x() -> None:
            await client.post(url, data=dict(PARAMS))

        results["httpx2"] = await measured(x, count)
    async with WebhookClient(network, sign=partial(sign, "token"), allowed_networks=networks) as ours:
        results["offhook"] = await measured(partial(ours.fetch, WebhookRequest(url, "POST", PARAMS)), count)
    return results


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline()) if server.stdout is not None else 0
        print(json.dumps({name: round(ms, 4) for name, ms in trio.run(compare, port, count).items()}))
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main()
