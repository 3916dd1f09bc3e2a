"""A Trio program of its own that takes calls beside its other work, and ends when it wants to.

    python examples/embed_in_trio_app.py

takes three calls to sip:anything@127.0.0.1:5060, then drains and ends.
"""

from __future__ import annotations

from collections.abc import Mapping

import trio

import offhook


class Receptionist:
    """The program's own state, which its calls share with everything else in it."""

    def __init__(self) -> None:
        self.served = 0

    async def answer(self, params: Mapping[str, str]) -> str:
        self.served += 1
        return f"<Response><Say>You are caller number {self.served}.</Say></Response>"


async def take_calls(config: offhook.Config, wanted: int, report: list[str]) -> None:
    """Run a server until `wanted` calls are over; `report` gets a line for each."""
    async with offhook.open_server(config) as server, server.events((offhook.CallEnded,)) as ends:
        for _ in range(wanted):
            event = await ends.take()
            if isinstance(event, offhook.CallEnded):
                report.append(f"{event.call_sid} {event.status} {event.duration_s} s")


def config(receptionist: Receptionist, port: int = 5060) -> offhook.Config:
    return offhook.Config(
        sip=offhook.SipSettings(
            domain_suffix="sip.example.test", default_domain="desk", udp=(f"127.0.0.1:{port}",), tcp=(), tls=()
        ),
        http=offhook.HttpSettings(bind="127.0.0.1:0"),
        domains=(
            offhook.DomainSettings(name="desk", voice_url=receptionist.answer, ip_access_control=("127.0.0.0/8",)),
        ),
    )


async def main() -> None:
    report: list[str] = []
    await take_calls(config(Receptionist()), 3, report)
    print("\n".join(report))


if __name__ == "__main__":
    trio.run(main)
