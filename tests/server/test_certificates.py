"""Certificates of a running server: swapped files, bad files, renewal, and warnings before the end."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import attrs
import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from offhook.server.certificates import LOOK_S, WARN_EVERY_S, Certificates, open_certificates
from offhook.server.config import Config, ServerSettings, SipSettings, TlsSettings
from offhook.server.kept_files import keep
from offhook.transport.own_authority import Issued, issue, make_authority
from offhook.transport.tls import KeyPair

START = datetime.datetime(2026, 3, 4, 5, 6, 7, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
T = TypeVar("T")


@functools.cache
def public_authority() -> Issued:
    return make_authority("a public authority", START - 400 * DAY)


@attrs.define(eq=False)
class House:
    """A configuration with files of its own, and a wall clock that can be set."""

    folder: Path
    now: datetime.datetime = START

    @property
    def pair(self) -> KeyPair:
        return KeyPair(self.folder / "site.pem", self.folder / "site.key")

    def issue(self, host: str, *, age_days: int = 0) -> None:
        keep(self.pair, issue(public_authority(), [host], self.now - age_days * DAY))

    def config(self, *, own: bool = False) -> Config:
        tls = TlsSettings() if own else TlsSettings(certificate=self.pair.certificate, private_key=self.pair.key)
        return Config(
            sip=SipSettings(domain_suffix="sip.test", tls=("127.0.0.1:0",)),
            tls=tls,
            server=ServerSettings(data_dir=self.folder / "data"),
            now_utc=lambda: self.now,
        )


async def at_once(work: Callable[..., T], *args: object) -> T:
    """Work on the event loop: on virtual time nothing else passes meanwhile."""
    return work(*args)


def opened(config: Config) -> Certificates:
    found = open_certificates(config, at_once)
    assert found is not None
    return found


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def watched(certificates: Certificates, seconds: float) -> list[str]:
    """What is logged while the watch runs for so long."""
    with capture_logs() as logs:
        with trio.move_on_after(seconds):
            await certificates.run()
    return [f"{line['event']} {line.get('error', '')}" for line in logs]


async def test_swapped_files_are_taken_once_both_looks_agree(house: House, autojump_clock: MockClock) -> None:
    house.issue("old.example.com")
    certificates = opened(house.config())
    before = certificates.server.context
    assert await watched(certificates, 3 * LOOK_S) == []
    assert certificates.server.context is before
    house.issue("new.example.com", age_days=-1)
    await certificates.look()
    assert certificates.server.context is before
    assert await watched(certificates, LOOK_S / 2) == []
    assert certificates.server.context is not before
    assert certificates.not_after > START


@pytest.mark.parametrize("damage", ["rubbish", "gone", "other key"])
async def test_bad_files_change_nothing_and_are_told_once(house: House, autojump_clock: MockClock, damage: str) -> None:
    house.issue("old.example.com")
    certificates = opened(house.config())
    before = certificates.server.context
    if damage == "rubbish":
        house.pair.certificate.write_text("rubbish")
    elif damage == "gone":
        house.pair.key.unlink()
    else:
        certificate = house.pair.certificate.read_bytes()
        house.issue("new.example.com")
        house.pair.certificate.write_bytes(certificate)
    logged = await watched(certificates, 10 * LOOK_S)
    (told,) = logged
    assert told.startswith("certificates not taken; what was good before stays ")
    assert str(house.folder) in told
    assert certificates.server.context is before
    house.issue("new.example.com")
    await watched(certificates, 3 * LOOK_S)
    assert certificates.server.context is not before


async def test_a_sighup_takes_files_that_have_not_changed(house: House, autojump_clock: MockClock) -> None:
    house.issue("old.example.com")
    certificates = opened(house.config())
    before, clients = certificates.server.context, certificates.clients.context(certificates.clients.usual)
    certificates.ask()
    await certificates.look()
    assert certificates.server.context is not before
    assert certificates.clients.context(certificates.clients.usual) is not clients


async def test_our_own_certificate_is_renewed_while_the_server_runs(house: House, autojump_clock: MockClock) -> None:
    certificates = opened(house.config(own=True))
    before, root = certificates.server.context, certificates.authority()
    house.now = START + 360 * DAY
    assert await watched(certificates, LOOK_S) == []
    house.now = START + 368 * DAY
    assert await watched(certificates, 3 * LOOK_S) == []
    assert certificates.server.context is not before
    assert certificates.expires_in_s() > 300 * DAY.total_seconds()
    assert certificates.authority() == root


async def test_a_renewal_that_fails_is_told_and_tried_again_an_hour_later(
    house: House, autojump_clock: MockClock
) -> None:
    certificates = opened(house.config(own=True))
    house.now = START + 390 * DAY
    folder = house.folder / "data" / "tls"
    key = (folder / "ca.key").read_bytes()
    (folder / "ca.key").write_bytes(b"rubbish")
    logged = await watched(certificates, 3000)
    assert len([line for line in logged if line.startswith("the certificate cannot be renewed")]) == 1
    (folder / "ca.key").write_bytes(key)
    await watched(certificates, 1000)
    assert certificates.expires_in_s() > 300 * DAY.total_seconds()


@pytest.mark.parametrize(
    ("age_days", "told"),
    [(300, None), (380, "the certificate expires soon "), (400, "the certificate has expired: phones refuse it ")],
)
async def test_the_end_is_told_thirty_days_before_once_a_day(
    house: House, autojump_clock: MockClock, age_days: int, told: str | None
) -> None:
    house.issue("site.example.com", age_days=age_days)
    certificates = opened(house.config())
    assert await watched(certificates, WARN_EVERY_S - 1) == ([told] if told else [])
    assert await watched(certificates, 2.5 * WARN_EVERY_S) == ([told] * 3 if told else [])


def test_phones_get_the_authority_only_where_it_is_ours(house: House) -> None:
    house.issue("site.example.com")
    assert opened(house.config()).authority() is None
    own = opened(house.config(own=True)).authority()
    assert own is not None
    assert own.startswith(b"-----BEGIN CERTIFICATE-----")
