"""A menu: press 1 for the time, 2 to leave a message, anything else to hear the menu again.

    python examples/ivr_with_gather.py

then call sip:menu@127.0.0.1:5060 from a softphone on this machine.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping

import trio

import offhook

MENU = """
<Response>
  <Gather numDigits="1" timeout="5">
    <Say>Press 1 for the time, or 2 to leave a message.</Say>
  </Gather>
  <Say>Goodbye.</Say>
</Response>
"""
MESSAGE = """
<Response>
  <Say>Speak after the beep, and press any key when you are done.</Say>
  <Record maxLength="60"/>
</Response>
"""


async def menu(params: Mapping[str, str]) -> str:
    """One function is the whole application: `<Gather>` and `<Record>` without an action come back to it."""
    if "RecordingUrl" in params:
        print("a message of", params["RecordingDuration"], "s:", params["RecordingUrl"])
        return "<Response><Say>Thank you. Goodbye.</Say></Response>"
    match params.get("Digits"):
        case "1":
            now = datetime.datetime.now().astimezone()
            return f"<Response><Say>It is {now:%H:%M}.</Say><Redirect/></Response>"
        case "2":
            return MESSAGE
        case _:
            return MENU


def config(port: int = 5060) -> offhook.Config:
    """A server for this machine alone; port 0 takes a free one."""
    return offhook.Config(
        sip=offhook.SipSettings(
            domain_suffix="sip.example.test",
            default_domain="ivr",
            udp=(f"127.0.0.1:{port}",),
            tcp=(),
            tls=(),
        ),
        http=offhook.HttpSettings(bind="127.0.0.1:0"),
        domains=(offhook.DomainSettings(name="ivr", voice_url=menu, ip_access_control=("127.0.0.0/8",)),),
    )


async def main() -> None:
    async with offhook.open_server(config()) as server:
        print("call", [f"sip:menu@{host}:{port}" for host, port in server.addresses["udp"]])
        await server.wait()


if __name__ == "__main__":
    trio.run(main)
