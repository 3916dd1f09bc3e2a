"""The smallest application: every caller is greeted by name, and the call ends.

    python examples/answer_and_say.py

then call sip:anything@127.0.0.1:5060 from a softphone on this machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape

import trio

import offhook


async def greet(params: Mapping[str, str]) -> str:
    """Stands in for the Voice URL: gets the parameters of a webhook, gives TwiML."""
    caller = params["From"].removeprefix("sip:").partition("@")[0]
    return f"<Response><Say>Hello {escape(caller)}, this is off hook.</Say><Hangup/></Response>"


def config(port: int = 5060) -> offhook.Config:
    """A server for this machine alone; port 0 takes a free one."""
    return offhook.Config(
        sip=offhook.SipSettings(
            domain_suffix="sip.example.test",
            default_domain="home",
            udp=(f"127.0.0.1:{port}",),
            tcp=(f"127.0.0.1:{port}",),
            tls=(),
        ),
        http=offhook.HttpSettings(bind="127.0.0.1:0"),
        domains=(offhook.DomainSettings(name="home", voice_url=greet, ip_access_control=("127.0.0.0/8",)),),
    )


async def main() -> None:
    async with offhook.open_server(config()) as server:
        print("call", [f"sip:hello@{host}:{port}" for host, port in server.addresses["udp"]])
        await server.wait()


if __name__ == "__main__":
    trio.run(main)
