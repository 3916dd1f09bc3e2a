"""Prints what happens on a server as it happens: calls, verbs, keys, webhooks, alerts.

python examples/watch_calls.py offhook.toml
"""

from __future__ import annotations

import sys
from pathlib import Path

import trio

import offhook


async def watch(server: offhook.Server) -> None:
    """One line for each event, until the server ends."""
    async with server.events() as events:
        async for event in events:
            if isinstance(event, offhook.Gap):
                print(f"too slow: {event.missed} events missed")
                continue
            call = getattr(event, "call_sid", None) or "-"
            print(f"{event.at:%H:%M:%S} {call} {type(event).__name__} {details(event)}")


def details(event: offhook.BusEvent) -> str:
    match event:
        case offhook.CallStarted():
            return f"{event.from_} -> {event.to}"
        case offhook.CallEnded():
            return f"{event.status} after {event.duration_s} s"
        case offhook.VerbStarted():
            return f"<{event.verb}>"
        case offhook.WebhookRequested():
            return f"{event.method} {event.url} -> {event.status} in {event.duration_ms:.0f} ms"
        case offhook.AlertRaised():
            return f"{event.code} {event.name}: {event.detail}"
        case _:
            return ""


async def main(path: str) -> None:
    async with offhook.open_server(offhook.load_config(Path(path))) as server:
        await watch(server)


if __name__ == "__main__":
    trio.run(main, sys.argv[1] if len(sys.argv) > 1 else "offhook.toml")
