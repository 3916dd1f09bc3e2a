"""The command line: `offhook serve`, `check-config`, `doctor`, `lint`, `pcap`, `demo`, `ca`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import trio
from cyclopts import App, CycloptsError, Parameter

from .config import Config, DomainSettings, SipSettings
from .load import load
from .log import REDACTOR, Format, hide, set_up
from .pcap import write_capture
from .problems import ConfigError
from .run import FAILED, MISCONFIGURED, OK, explain, run
from .trunk_config import TrunkSettings
from .version import VERSION

Level = Literal["debug", "info", "warning", "error"]
ConfigPath = Annotated[Path, Parameter(name=["--config", "-c"], env_var="OFFHOOK_CONFIG")]
OutputPath = Annotated[Path | None, Parameter(name=["--output", "-o"])]
LogFormat = Annotated[Literal["auto", "console", "json"], Parameter(env_var="OFFHOOK_LOG_FORMAT")]
LogLevel = Annotated[Level, Parameter(env_var="OFFHOOK_LOG_LEVEL")]

DEFAULT_CONFIG = Path("offhook.toml")

app = App(
    name="offhook",
    help="""A self-hosted Programmable Voice platform: phones call in over SIP, your web application answers in TwiML.

    Start with `offhook demo`, which needs no phone. Every setting of the file can also be given as an environment
    variable, `OFFHOOK_SECTION_KEY`; see docs/configuration.md.""",
    help_epilogue="Exit status: 0 done, 1 failed (port taken, errors in a document), 2 wrong configuration or usage.",
    version=f"offhook {VERSION}",
    backend="trio",
    result_action="return_value",
    default_parameter=Parameter(negative=()),
)
authority = App(name="ca", help="The certificate authority that offhook makes for itself.")
app.command(authority)


@app.command
def serve(config: ConfigPath = DEFAULT_CONFIG, *, log_format: LogFormat = "auto", log_level: LogLevel = "info") -> int:
    """Serve calls until SIGTERM or Ctrl-C.

    The first signal drains: new calls are refused, live ones may finish (server.drain_s). The second ends at once.

    Parameters
    ----------
    config
        Configuration file, TOML; docs/configuration.md lists its keys, and `offhook check-config` checks it.
    log_format
        Lines for people, or JSON; `auto` is for people on a terminal only.
    log_level
        Least important kind of line to write.
    """
    settings = read_config(config)
    if settings is None:
        return MISCONFIGURED
    set_up(Format(log_format), log_level)
    hide(settings.account.auth_token, *secrets_of(settings))
    return trio.run(run, settings)


@app.command
def check_config(config: ConfigPath = DEFAULT_CONFIG) -> int:
    """Check the configuration, bind nothing; prints everything that is wrong (exit 2), or a summary.

    Each fault is told with file or variable, key and what would be right; `trunk[2].uris` is the key uris of the second
    [[trunk]].

    Parameters
    ----------
    config
        Configuration file.
    """
    settings = read_config(config)
    if settings is None:
        return MISCONFIGURED
    print(f"{config}: good")
    for line in summary(settings):
        print(f"  {line}")
    return OK


@app.command
async def doctor(config: ConfigPath = DEFAULT_CONFIG, *, network: bool = False, json: bool = False) -> int:
    """Look for what will go wrong: certificates, clock, ports, addresses, limits, secrets; and say what to do.

    Changes nothing, and may run beside the server. Exit 1 when something that the configuration wants will not work.

    Parameters
    ----------
    config
        Configuration file.
    network
        Also ask the name server for the hosts of trunks and applications.
    json
        An array of objects (level, about, text, remedy) instead of lines.
    """
    from ..transport.trio_network import TrioNetwork
    from .doctor import findings  # the cryptography library, and what else it looks at: only this command needs them
    from .doctor.examine import examine

    settings = read_config(config)
    if settings is None:
        return MISCONFIGURED
    found = await examine(settings, TrioNetwork() if network else None)
    print(findings.as_json(found) if json else "\n".join(findings.lines(found)))
    return FAILED if findings.failed(found) else OK


@app.command
async def lint(document: str, *, method: Literal["GET", "POST"] = "GET") -> int:
    """Check a TwiML document: prints every problem with line, column and error code; exit 1 when there are errors.

    Parameters
    ----------
    document
        File, http(s) URL, or `-` for standard input.
    method
        How to ask for a URL.
    """
    from . import lint as linter  # the parser and the HTTP client: only this command needs them

    try:
        report = linter.lint(await linter.read(document, method))
    except linter.Unreadable as error:
        print(f"offhook: {error}", file=sys.stderr)
        return MISCONFIGURED
    for line in report.lines:
        print(line)
    print(f"{document}: {report.summary}")
    return FAILED if report.errors else OK


@app.command
def pcap(call_sid: str, *, config: ConfigPath = DEFAULT_CONFIG, output: OutputPath = None, only: bool = False) -> int:
    """Write the capture of a call, in PCAPNG for Wireshark: `offhook pcap CALLSID > call.pcapng`.

    It has the SIP messages of the call and of those that it dialled, in the clear also where they went over TLS, and
    their RTP where captures.rtp says so. The server may be running.

    Parameters
    ----------
    call_sid
        `CA` and 32 hexadecimal digits, as in webhooks, logs and X-Twilio-CallSid.
    config
        Configuration file of the server.
    output
        File to write; without it, standard output, if that is no terminal.
    only
        Leave out the calls that it dialled.
    """
    settings = read_config(config)
    if settings is None:
        return MISCONFIGURED
    return write_capture(settings, call_sid, output, only=only)


@app.command
async def demo(*, stay: bool = False, secure: bool = False, sip_port: int | None = None) -> int:
    """Make calls without a phone: server, web application and two scripted phones, all on this machine.

    Alice and Bob register, Alice calls the application, it connects her with Bob. Prints the SIP messages, each webhook
    with its TwiML, what is carried out, what the two heard, and whether all of it was right (else exit 1).

    Parameters
    ----------
    stay
        Keep serving after that, and print what a softphone is to be set to.
    secure
        All of it over TLS, with encrypted media (SRTP).
    sip_port
        Port for SIP; without it 5060 with --stay (5061 with --secure too), else any free one.
    """
    from .demo import run_demo  # the whole house and the test kit: only this command needs them

    set_up(Format.CONSOLE, "warning")
    try:
        return await run_demo(stay=stay, secure=secure, sip_port=sip_port)
    except BaseException as error:
        return explain(error)


@authority.command
def export(config: ConfigPath = DEFAULT_CONFIG, *, output: Path | None = None) -> int:
    """Write the certificate of our own authority, as phones need it; it is made when there is none yet.

    Parameters
    ----------
    config
        Configuration file.
    output
        File to write to; without it, standard output.
    """
    from .tls import own_authority  # needs the cryptography library: only this command and the server do

    settings = read_config(config)
    if settings is None:
        return MISCONFIGURED
    try:
        pem = own_authority(settings)
        if output is not None:
            output.write_bytes(pem)
    except ConfigError as error:
        print(f"offhook: {error}", file=sys.stderr)
        return MISCONFIGURED
    except OSError as error:
        print(f"offhook: {output}: {error.strerror}", file=sys.stderr)
        return FAILED
    if output is None:
        sys.stdout.write(pem.decode())
    elif settings.tls.certificate is not None:
        print(f"offhook: note: {config} brings a certificate of its own, so phones need its authority instead")
    return OK


def read_config(path: Path) -> Config | None:
    """The configuration, or None after telling everything that is wrong with it."""
    try:
        return load(path)
    except ConfigError as error:
        for problem in error.problems:
            print(f"offhook: {problem}", file=sys.stderr)
        return None


def summary(config: Config) -> list[str]:
    """What a configuration amounts to, without its secrets."""
    lines = [f"data in {config.server.data_dir}"]
    for transport in ("udp", "tcp", "tls"):
        addresses = ", ".join(map(str, getattr(config.sip, transport)))
        lines.append(f"SIP over {transport.upper()} on {addresses or 'nothing'}")
    lines.append(f"HTTP on {config.http.bind}{' (asks for the account)' if config.http.exposed else ''}")
    for domain in config.domains:
        callers = [f"{sum(user.calls for user in domain.credentials)} users"] if domain.credentials else []
        callers += [f"{len(domain.ip_access_control)} networks"] if domain.ip_access_control else []
        who = " and ".join(callers) or "nobody: it has neither credentials nor ip_access_control"
        target = domain.voice_url if domain.voice_url is not None else "no voice_url: calls get 404"
        lines.append(
            f"domain {config.sip.names.full(domain.name)}: {REDACTOR.text(str(target))}; callers: {who}"
            f"{phones_summary(domain, config.sip)}"
        )
    lines += [trunk_summary(trunk) for trunk in config.trunks]
    for number in config.numbers:
        lines.append(
            f"number {number.number}: {REDACTOR.text(str(number.voice_url or 'verified, answered by nobody'))}"
        )
    return lines


def phones_summary(domain: DomainSettings, sip: SipSettings) -> str:
    """Who may register with a domain, and for how long; empty where nobody is meant to."""
    if not domain.sip_registration:
        return ""
    users = sum(user.registrations for user in domain.credentials)
    if not users:
        return "; phones: nobody can register: no credential has registrations"
    return f"; phones: {users} users may register, for {sip.registration_min_s} to {sip.registration_max_s} s"


def trunk_summary(trunk: TrunkSettings) -> str:
    """One line about a trunk: where it is, what it takes, what it brings."""
    facts = [", then ".join(map(str, trunk.uris))]
    facts.append(f"dials {', '.join(trunk.prefixes)}" if trunk.prefixes else "dials nothing: it has no prefixes")
    if trunk.emergency:
        whose = "" if trunk.caller_id else " (no caller_id: only of users who are numbers of ours)"
        facts.append(f"takes emergency calls{whose}")
    facts += ["registers"] if trunk.register else []
    facts += [f"at most {trunk.max_calls} calls"] if trunk.max_calls is not None else []
    facts += [f"at most {trunk.calls_per_s:g} calls a second"] if trunk.calls_per_s is not None else []
    if trunk.inbound is not None:
        target = trunk.inbound.voice_url or "numbers with a voice_url only"
        facts.append(f"brings calls from {', '.join(map(str, trunk.inbound.networks))} to {REDACTOR.text(str(target))}")
    return f"trunk {trunk.name}: {'; '.join(facts)}"


def secrets_of(config: Config) -> list[str]:
    """Passwords of users and of trunks, which are never to be logged."""
    users = [user.password for domain in config.domains for user in domain.credentials]
    return [*users, *(trunk.password for trunk in config.trunks if trunk.password is not None)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; gives the exit status."""
    try:
        status = app(list(arguments) if arguments is not None else None, exit_on_error=False, print_error=True)
    except CycloptsError:
        return MISCONFIGURED
    return status if isinstance(status, int) else OK
