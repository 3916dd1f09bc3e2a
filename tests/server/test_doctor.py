"""What `offhook doctor` finds: each thing that can be wrong, said with a remedy, and nothing said of what is right."""

from __future__ import annotations

import datetime
import functools
import json
import os
import resource
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs
import pytest

from offhook.server import cli
from offhook.server.config import (
    AccountSettings,
    Config,
    CredentialSettings,
    DomainSettings,
    HttpSettings,
    MediaSettings,
    ServerSettings,
    SipSettings,
    TlsSettings,
    WebhooksSettings,
)
from offhook.server.data_dir import hold
from offhook.server.doctor import network
from offhook.server.doctor.certificates import examine_certificates
from offhook.server.doctor.examine import examine
from offhook.server.doctor.findings import Finding, Level, as_json, failed, fine, lines
from offhook.server.doctor.machine import examine_machine
from offhook.server.doctor.network import examine_names, examine_network
from offhook.server.doctor.safety import bits, examine_safety, strong
from offhook.server.kept_files import keep
from offhook.server.trunk_config import TrunkSettings
from offhook.testing.network import FakeNetwork
from offhook.transport.own_authority import Issued, issue, make_authority
from offhook.transport.tls import KeyPair

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)
STRONG = "Correct3Horse7"


@functools.cache
def authority() -> Issued:
    return make_authority("a private authority", NOW - 500 * DAY)


@functools.cache
def site(host: str = "*.sip.test", age_days: int = 0) -> Issued:
    return issue(authority(), [host], NOW - age_days * DAY)


def config(tmp_path: Path, **changes: Any) -> Config:
    """All of it is as it should be."""
    made = Config(
        server=ServerSettings(data_dir=tmp_path / "data"),
        account=AccountSettings(sid="AC" + "0" * 32, auth_token="0123456789abcdef0123456789abcdef"),
        sip=SipSettings(domain_suffix="sip.test", udp=("127.0.0.1:0",), tcp=("127.0.0.1:0",), tls=("127.0.0.1:0",)),
        media=MediaSettings(rtp_ports="21000-21019"),
        http=HttpSettings(bind="127.0.0.1:0"),
        webhooks=WebhooksSettings(allowed_networks=("127.0.0.0/8",)),
        domains=(domain(),),
    )
    return attrs.evolve(made, **changes)


def domain(**changes: object) -> DomainSettings:
    users = (CredentialSettings(username="alice", password=STRONG),)
    return attrs.evolve(DomainSettings(name="acme", voice_url="http://127.0.0.1:9000/v", credentials=users), **changes)


def with_files(tmp_path: Path, made: Issued, chain: Iterable[bytes] = (), **tls: object) -> Config:
    pair = KeyPair(tmp_path / "site.pem", tmp_path / "site.key")
    keep(pair, attrs.evolve(made, certificate=b"".join([made.certificate, *chain])))
    return config(tmp_path, tls=TlsSettings(certificate=pair.certificate, private_key=pair.key, **tls))


def bad(findings: Iterable[Finding]) -> dict[str, Finding]:
    """What is not fine, by what it is about; each says what to do."""
    found = [finding for finding in findings if finding.level is not Level.OK]
    assert all(finding.remedy for finding in found)
    assert len({finding.about for finding in found}) == len(found)
    return {finding.about: finding for finding in found}


def only(findings: Iterable[Finding]) -> Finding:
    (finding,) = bad(findings).values()
    return finding


# ---- TLS -----------------------------------------------------------------------------------------------------------


def test_nothing_is_wrong_with_certificates_that_are_not_made_yet(tmp_path: Path) -> None:
    assert bad(examine_certificates(config(tmp_path))) == {}


def test_a_secure_domain_without_tls_cannot_be_called(tmp_path: Path) -> None:
    sip = SipSettings(domain_suffix="sip.test", tls=())
    finding = only(examine_certificates(config(tmp_path, sip=sip, domains=(domain(secure=True),))))
    assert (finding.level, finding.about) == (Level.FAILURE, "tls")
    assert bad(examine_certificates(config(tmp_path, sip=sip))) == {}


def test_a_chain_to_an_authority_that_the_system_does_not_know_is_told(tmp_path: Path) -> None:
    finding = only(examine_certificates(with_files(tmp_path, site())))
    assert (finding.level, finding.about) == (Level.WARNING, "chain")
    assert "CN=a private authority" in finding.text
    finding = only(examine_certificates(with_files(tmp_path, site(), [authority().certificate])))
    assert "phones do not know by themselves" in finding.text


def test_certificates_in_the_wrong_order_are_told(tmp_path: Path) -> None:
    found = bad(examine_certificates(with_files(tmp_path, site(), [site("other.test").certificate])))
    assert found["chain"].level is Level.FAILURE
    assert "fullchain" in found["chain"].remedy


@pytest.mark.parametrize(
    ("age_days", "level", "text"),
    [
        (380, Level.WARNING, "expires on"),
        (450, Level.FAILURE, "expired on"),
        (-5, Level.FAILURE, "is not valid before"),
    ],
)
def test_dates_that_are_past_near_or_to_come_are_told(tmp_path: Path, age_days: int, level: Level, text: str) -> None:
    found = bad(examine_certificates(with_files(tmp_path, site(age_days=age_days))))
    assert found["validity"].level is level
    assert text in found["validity"].text


def test_a_certificate_for_other_names_is_told_with_those_it_lacks(tmp_path: Path) -> None:
    found = bad(examine_certificates(with_files(tmp_path, site("pbx.example"))))
    assert found["names"].level is Level.FAILURE
    assert "acme.sip.test" in found["names"].text


def test_a_key_of_another_certificate_or_open_to_all_is_told(tmp_path: Path) -> None:
    given = with_files(tmp_path, site())
    (tmp_path / "site.key").chmod(0o644)
    assert bad(examine_certificates(given))["key"].remedy == f"chmod 600 {tmp_path / 'site.key'}"
    (tmp_path / "site.key").write_bytes(site("other.test").key)
    assert only(examine_certificates(given)).level is Level.FAILURE


def test_what_weakens_tls_is_told(tmp_path: Path) -> None:
    trunk = TrunkSettings(
        name="lab", uris=["sip:gw.test;transport=tls"], prefixes=["+1"], max_calls=1, verify_certificate=False
    )
    given = config(tmp_path, tls=TlsSettings(allow_deprecated=True, ca_file=tmp_path / "none.pem"), trunks=(trunk,))
    found = bad(examine_certificates(given))
    assert {about: finding.level for about, finding in found.items()} == {
        "tls": Level.WARNING,
        "trunk lab": Level.WARNING,
        "ca_file": Level.FAILURE,
    }


# ---- network -------------------------------------------------------------------------------------------------------


def test_free_ports_of_this_machine_alone_are_fine(tmp_path: Path) -> None:
    assert bad(examine_network(config(tmp_path))) == {}


def test_a_taken_port_is_told_by_its_key(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        sip = SipSettings(domain_suffix="sip.test", udp=(f"127.0.0.1:{taken.getsockname()[1]}",), tcp=(), tls=())
        finding = only(examine_network(config(tmp_path, sip=sip)))
    assert (finding.level, finding.about) == (Level.FAILURE, "sip.udp")
    assert "taken by another program" in finding.text


def test_an_address_of_another_machine_is_told(tmp_path: Path) -> None:
    sip = SipSettings(domain_suffix="sip.test", udp=(), tcp=("192.0.2.77:0",), tls=())
    found = bad(examine_network(config(tmp_path, sip=sip)))
    assert "no address of this machine" in found["sip.tcp"].text


def test_ports_are_not_looked_at_while_the_server_has_them(tmp_path: Path) -> None:
    given = config(tmp_path)
    given.server.data_dir.mkdir()
    with hold(given.server.data_dir):
        about = [finding.about for finding in examine_network(given)]
    assert about[0] == "ports"
    assert "sip.udp" not in about


def test_a_range_that_the_system_uses_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "range").write_text("20000\t30000\n")
    monkeypatch.setattr(network, "EPHEMERAL", tmp_path / "range")
    finding = only(examine_network(config(tmp_path)))
    assert (finding.about, finding.level) == ("media.rtp_ports", Level.WARNING)


@pytest.mark.parametrize(
    ("told", "ours", "text"),
    [
        (None, "10.0.0.5", "a private address"),
        ("203.0.113.9", "10.0.0.5", "behind NAT"),
        (None, "9.9.9.9", None),
        ("9.9.9.9", "9.9.9.9", None),
        (None, None, None),
    ],
)
def test_what_peers_are_told_is_compared_with_what_we_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str | None, ours: str | None, text: str | None
) -> None:
    monkeypatch.setattr(network, "_own_address", lambda: ours)
    sip = SipSettings(domain_suffix="sip.test", udp=("0.0.0.0:0",), tcp=(), tls=())
    server = ServerSettings(data_dir=tmp_path, advertised_address=told)
    found = bad(examine_network(config(tmp_path, sip=sip, server=server)))
    assert list(found) == (["server.advertised_address"] if text else [])
    assert all(text is not None and text in finding.text for finding in found.values())


async def test_names_that_nobody_knows_are_told_when_asked_for(tmp_path: Path) -> None:
    fake = FakeNetwork()
    fake.dns.address("known.test", "192.0.2.1")
    trunks = (TrunkSettings(name="a", uris=["sip:known.test", "sip:unknown.test", "sip:192.0.2.9"]),)
    found = await examine_names(config(tmp_path, trunks=trunks), fake.host("10.0.0.1"))
    assert [(finding.about, finding.level) for finding in found] == [("trunk a", Level.OK), ("trunk a", Level.WARNING)]
    assert "unknown.test" in found[1].text


# ---- machine -------------------------------------------------------------------------------------------------------


def of_machine(given: Config, about: str) -> list[Finding]:
    return [finding for finding in examine_machine(given) if finding.about == about]


def test_a_clock_from_before_the_installation_is_wrong(tmp_path: Path) -> None:
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    wrong, _ = of_machine(config(tmp_path, now_utc=lambda: past), "clock")
    assert (wrong.level, "before offhook was installed" in wrong.text) == (Level.FAILURE, True)
    right, _ = of_machine(config(tmp_path), "clock")
    assert right.level is Level.OK


@pytest.mark.parametrize(
    ("limit", "level"), [(512, Level.FAILURE), (4210, Level.WARNING), (resource.RLIM_INFINITY, Level.OK)]
)
def test_few_open_files_are_told_with_the_calls_they_allow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, level: Level
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (limit, limit))
    (finding,) = of_machine(config(tmp_path), "open files")
    assert finding.level is level


def test_a_data_dir_that_others_can_read_or_that_is_a_file_is_told(tmp_path: Path) -> None:
    given = config(tmp_path)
    given.server.data_dir.mkdir(mode=0o755)
    given.server.data_dir.chmod(0o755)
    assert bad(of_machine(given, "server.data_dir"))["server.data_dir"].remedy == f"chmod 700 {given.server.data_dir}"
    given.server.data_dir.chmod(0o700)
    assert bad(of_machine(given, "server.data_dir")) == {}
    given.server.data_dir.rmdir()
    given.server.data_dir.write_text("")
    assert only(of_machine(given, "server.data_dir")).level is Level.FAILURE


# ---- safety --------------------------------------------------------------------------------------------------------


def test_what_is_as_it_should_be_is_fine(tmp_path: Path) -> None:
    assert bad(examine_safety(config(tmp_path))) == {}


@pytest.mark.parametrize(
    ("changes", "level", "text"),
    [
        ({"credentials": ()}, Level.FAILURE, "nobody may call"),
        ({"credentials": (), "ip_access_control": ("0.0.0.0/0",)}, Level.WARNING, "everybody in 0.0.0.0/0"),
        ({"credentials": (CredentialSettings(username="bob", password="Bobs-Pass-1234"),)}, Level.WARNING, "bob"),
        ({"voice_url": None}, Level.WARNING, "no voice_url"),
        ({"voice_url": "http://10.1.2.3/v"}, Level.FAILURE, "10.1.2.3 is not public"),
        ({"voice_url": "http://app.example.com/v"}, Level.WARNING, "in the clear"),
        (
            {"sip_registration": True, "credentials": (), "ip_access_control": ("127.0.0.0/8",)},
            Level.FAILURE,
            "no credential may",
        ),
    ],
)
def test_a_domain_that_lets_too_many_in_or_nobody_is_told(
    tmp_path: Path, changes: dict[str, object], level: Level, text: str
) -> None:
    finding = only(examine_safety(config(tmp_path, domains=(domain(**changes),))))
    assert (finding.level, finding.about) == (level, "domain acme")
    assert text in finding.text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"prefixes": ("+",), "max_calls": 5}, "every number of the world"),
        ({"prefixes": ("+1",)}, "no limit of calls"),
        ({}, "nothing may be dialled"),
    ],
)
def test_a_trunk_that_can_cost_a_fortune_or_nothing_is_told(
    tmp_path: Path, changes: dict[str, object], text: str
) -> None:
    trunk = attrs.evolve(TrunkSettings(name="a", uris=["sip:gw.test"]), **changes)
    assert text in only(examine_safety(config(tmp_path, trunks=(trunk,)))).text


def test_a_token_that_can_be_guessed_is_told_and_never_shown(tmp_path: Path) -> None:
    account = AccountSettings(sid="AC" + "0" * 32, auth_token="passpasspass")
    finding = only(examine_safety(config(tmp_path, account=account)))
    assert finding.about == "auth_token"
    assert "passpass" not in finding.text + finding.remedy
    assert bits("aaaa") == 0
    assert bits("abab") == 4


@pytest.mark.parametrize(
    ("password", "good"),
    [(STRONG, True), ("Short1a", False), ("alllowercase1", False), ("ALLUPPERCASE1", False), ("NoDigitsInHere", False)],
)
def test_a_password_is_judged_as_the_original_does(password: str, good: bool) -> None:
    assert strong("alice", password) is good
    assert not strong("horse", STRONG)


def test_http_that_others_can_reach_in_the_clear_is_told(tmp_path: Path) -> None:
    exposed = HttpSettings(bind="0.0.0.0:8080")
    assert only(examine_safety(config(tmp_path, http=exposed))).about == "http.bind"
    behind = HttpSettings(bind="0.0.0.0:8080", public_url="https://voice.example.com")
    assert bad(examine_safety(config(tmp_path, http=behind))) == {}


# ---- all of it -----------------------------------------------------------------------------------------------------


async def test_the_whole_examination_changes_nothing(tmp_path: Path) -> None:
    found = await examine(config(tmp_path))
    assert not failed(found)
    assert os.listdir(tmp_path) == []


def test_lines_have_each_finding_its_remedy_and_the_sum() -> None:
    shown = lines([fine("a", "well"), Finding(Level.FAILURE, "bcd", "broken", "mend it")])
    assert shown == [
        "ok       a    well",
        "failure  bcd  broken",
        "              → mend it",
        "1 fine, 0 warnings, 1 failures",
    ]
    assert json.loads(as_json([fine("a", "well")])) == [{"level": "ok", "about": "a", "text": "well", "remedy": ""}]


def test_the_command_says_by_its_exit_status_whether_all_will_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "offhook.toml"
    text = (
        '[sip]\ndomain_suffix = "sip.test"\nudp = ["127.0.0.1:0"]\ntcp = []\ntls = []\n[http]\nbind = "127.0.0.1:0"\n'
    )
    path.write_text(text)
    assert cli.main(["doctor", "--config", str(path)]) == 0
    assert " fine, " in capsys.readouterr().out
    path.write_text(text + '[[domain]]\nname = "acme"\n')
    assert cli.main(["doctor", "--config", str(path), "--json"]) == 1
    assert "failure" in {each["level"] for each in json.loads(capsys.readouterr().out)}
    path.write_text("nonsense")
    assert cli.main(["doctor", "--config", str(path)]) == 2
