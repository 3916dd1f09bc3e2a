"""The certificate that a server shows when none is configured: made, kept, renewed; and what is wrong with files."""

from __future__ import annotations

import datetime
import stat
from pathlib import Path

import attrs
import pytest
from cryptography import x509
from structlog.testing import capture_logs

from offhook.server.config import Config, ServerSettings, SipSettings, TlsSettings
from offhook.server.data_dir import DataDirInUse, hold
from offhook.server.problems import ConfigError
from offhook.server.server import Parts, open_server
from offhook.server.tls import certificate_hosts, own_pair, tls_clients, tls_server
from offhook.server.trunk_config import TrunkSettings
from offhook.transport.certificate import names_of
from offhook.transport.own_authority import is_of

NOW = datetime.datetime(2026, 3, 4, 5, 6, 7, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


def config(tmp_path: Path, now: datetime.datetime = NOW, **sip: object) -> Config:
    settings = attrs.evolve(SipSettings(domain_suffix="sip.example.test", tls=("127.0.0.1:0",)), **sip)
    return Config(sip=settings, server=ServerSettings(data_dir=tmp_path), now_utc=lambda: now)


def certificate(tmp_path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((tmp_path / "tls" / "server.pem").read_bytes())


def test_the_first_start_makes_an_authority_and_a_certificate_that_only_we_can_read(tmp_path: Path) -> None:
    pair = own_pair(config(tmp_path))
    root = (tmp_path / "tls" / "ca.pem").read_bytes()
    assert is_of(pair.certificate.read_bytes(), root)
    assert names_of(certificate(tmp_path))[:2] == ["*.sip.example.test", "sip.example.test"]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "tls").iterdir()}
    assert modes == dict.fromkeys(["ca.pem", "ca.key", "server.pem", "server.key"], 0o600)
    assert stat.S_IMODE((tmp_path / "tls").stat().st_mode) == 0o700


def test_the_next_start_takes_the_same(tmp_path: Path) -> None:
    own_pair(config(tmp_path))
    before = certificate(tmp_path)
    own_pair(config(tmp_path, NOW + 300 * DAY))
    assert certificate(tmp_path) == before


@pytest.mark.parametrize("days", [368, 500])
def test_it_is_renewed_thirty_days_before_it_ends_by_the_same_authority(tmp_path: Path, days: int) -> None:
    own_pair(config(tmp_path))
    before, root = certificate(tmp_path), (tmp_path / "tls" / "ca.pem").read_bytes()
    own_pair(config(tmp_path, NOW + days * DAY))
    after = certificate(tmp_path)
    assert after.not_valid_after_utc > before.not_valid_after_utc
    assert (tmp_path / "tls" / "ca.pem").read_bytes() == root
    assert is_of((tmp_path / "tls" / "server.pem").read_bytes(), root)


def test_it_is_made_anew_for_new_names(tmp_path: Path) -> None:
    own_pair(config(tmp_path))
    own_pair(config(tmp_path, regions=("ie1",), tls=("192.0.2.1:5061", "[2001:db8::1]:5061")))
    names = names_of(certificate(tmp_path))
    assert {"*.sip.ie1.example.test", "192.0.2.1", "2001:db8::1"} <= set(names)


def test_it_is_made_anew_when_the_authority_was_replaced_with_a_warning(tmp_path: Path) -> None:
    with capture_logs() as first:
        own_pair(config(tmp_path))
    (tmp_path / "tls" / "ca.key").unlink()
    with capture_logs() as then:
        own_pair(config(tmp_path))
    warnings = [[entry["event"] for entry in logs if entry["log_level"] == "warning"] for logs in (first, then)]
    assert warnings == [[], ["made a certificate authority; phones that check certificates need it"]]
    assert is_of((tmp_path / "tls" / "server.pem").read_bytes(), (tmp_path / "tls" / "ca.pem").read_bytes())


def test_the_advertised_address_is_in_it(tmp_path: Path) -> None:
    given = config(tmp_path)
    given = attrs.evolve(given, server=attrs.evolve(given.server, advertised_address="203.0.113.9"))
    assert "203.0.113.9" in certificate_hosts(given)


def test_a_damaged_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    own_pair(config(tmp_path))
    (tmp_path / "tls" / "server.pem").write_text("rubbish")
    with pytest.raises(ConfigError, match="remove the folder for new certificates"):
        own_pair(config(tmp_path))


def test_configured_files_are_used_and_what_is_wrong_with_them_is_said(tmp_path: Path) -> None:
    pair = own_pair(config(tmp_path))
    given = attrs.evolve(
        config(tmp_path / "other"), tls=TlsSettings(certificate=pair.certificate, private_key=pair.key)
    )
    assert tls_server(given) is not None
    assert not (tmp_path / "other").exists()
    wrong = attrs.evolve(given, tls=TlsSettings(certificate=pair.certificate, private_key=tmp_path / "tls" / "ca.key"))
    with pytest.raises(ConfigError, match="the key belongs to another certificate"):
        tls_server(wrong)
    missing = attrs.evolve(given, tls=TlsSettings(certificate=pair.certificate, private_key=tmp_path / "none.key"))
    with pytest.raises(ConfigError, match=r"none\.key: No such file"):
        tls_server(missing)


def test_a_certificate_without_its_key_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tls\.private_key: should be given together with tls\.certificate"):
        attrs.evolve(config(tmp_path), tls=TlsSettings(certificate=tmp_path / "a.pem"))


def test_where_tls_is_not_served_nothing_is_made_and_nobody_is_called(tmp_path: Path) -> None:
    plain = config(tmp_path, tls=())
    assert tls_server(plain) is None
    assert tls_clients(plain) is None
    assert list(tmp_path.iterdir()) == []
    trunk = TrunkSettings(name="a", uris=["sip:gw.example.com;transport=tls"])
    with pytest.raises(ConfigError, match=r"needs an address in sip\.tls"):
        attrs.evolve(plain, trunks=(trunk,))


async def test_a_second_server_on_the_same_data_leaves_the_certificate_of_the_first_alone(tmp_path: Path) -> None:
    own_pair(config(tmp_path))
    before = certificate(tmp_path)
    with hold(tmp_path), pytest.raises(DataDirInUse):
        async with open_server(config(tmp_path, tls=("127.0.0.2:0",)), Parts(http=False)):
            raise AssertionError("it must not start")
    assert certificate(tmp_path) == before


def test_each_trunk_has_its_own_way_with_certificates(tmp_path: Path) -> None:
    pair = own_pair(config(tmp_path))
    trunks = (
        TrunkSettings(
            name="a",
            uris=["sips:GW.example.com"],
            ca_file=tmp_path / "tls" / "ca.pem",
            client_certificate=pair.certificate,
            client_key=pair.key,
        ),
        TrunkSettings(name="b", uris=["sip:lab.example.com;transport=tls"], verify_certificate=False),
    )
    clients = tls_clients(attrs.evolve(config(tmp_path), trunks=trunks))
    assert clients is not None
    assert clients.profile("gw.example.com").client == pair
    assert clients.profile("gw.example.com").ca_file == tmp_path / "tls" / "ca.pem"
    assert not clients.profile("LAB.example.com").verify
    assert clients.profile("elsewhere.example.com").verify
    wrong = attrs.evolve(trunks[0], ca_file=tmp_path / "none.pem")
    with pytest.raises(ConfigError, match=r"none\.pem"):
        tls_clients(attrs.evolve(config(tmp_path), trunks=(wrong,)))
