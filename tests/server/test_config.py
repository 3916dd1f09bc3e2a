"""A configuration built in code: the same classes, the same checks."""

from collections.abc import Mapping
from pathlib import Path

import attrs
import pytest

from offhook.server.config import (
    Config,
    CredentialSettings,
    DomainSettings,
    HttpSettings,
    SipSettings,
)
from offhook.server.problems import ConfigError
from offhook.server.seed import domain_directory
from offhook.server.values import Wrong

ACCOUNT = "AC" + "1" * 32


async def answer(params: Mapping[str, str]) -> str:
    return "<Response/>"


def config(*domains: DomainSettings) -> Config:
    return Config(sip=SipSettings(domain_suffix="sip.test", udp=["127.0.0.1:0"]), domains=domains)


def test_strings_are_taken_where_the_file_has_them() -> None:
    made = config(DomainSettings(name="acme", ip_access_control=["127.0.0.0/8"]))
    assert made.sip.udp == (("127.0.0.1", 0),)
    assert str(made.domains[0].ip_access_control[0]) == "127.0.0.0/8"


def test_changing_one_value_checks_it_again() -> None:
    settings = HttpSettings()
    assert attrs.evolve(settings, bind="[::1]:0").bind == ("::1", 0)
    with pytest.raises(Wrong):
        attrs.evolve(settings, bind="nowhere")


def test_a_configuration_is_frozen() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        config().sip.realm = "x"  # type: ignore[misc]  # the test is that this fails


def test_parts_that_do_not_fit_are_refused_in_code_too() -> None:
    with pytest.raises(ConfigError, match=r"domain\[2\]\.name: \"acme\" should be unique"):
        config(DomainSettings(name="acme"), DomainSettings(name="ACME"))


def test_an_async_function_may_stand_in_for_a_webhook_url() -> None:
    made = config(DomainSettings(name="acme", voice_url=answer))
    assert made.domains[0].voice_url is answer
    record = domain_directory(made, ACCOUNT).find("acme.sip.test")
    assert record is not None
    assert record.voice_url is answer


@pytest.mark.parametrize(
    ("bind", "exposed"), [("127.0.0.1:80", False), ("127.9.9.9:80", False), ("[::1]:80", False), ("0.0.0.0:80", True)]
)
def test_http_is_exposed_once_it_leaves_loopback(bind: str, exposed: bool) -> None:
    assert HttpSettings(bind=bind).exposed is exposed


def test_ipv6_links_have_brackets() -> None:
    assert HttpSettings().base_url(("::1", 8080)) == "http://[::1]:8080"


def test_a_domain_of_the_configuration_has_the_same_sid_at_every_start() -> None:
    user = CredentialSettings(username="alice", password="secret", registrations=False)
    first = domain_directory(config(DomainSettings(name="acme", credentials=[user])), ACCOUNT).find("acme.sip.test")
    later = domain_directory(
        config(DomainSettings(name="other"), DomainSettings(name="acme", voice_url="http://a/")), ACCOUNT
    ).find("acme.sip.test")
    elsewhere = domain_directory(config(DomainSettings(name="acme")), "AC" + "2" * 32).find("acme.sip.test")
    assert first is not None
    assert later is not None
    assert elsewhere is not None
    assert first.sid == later.sid != elsewhere.sid
    assert first.full_name == "acme.sip.test"
    assert [one.username for one in first.call_credentials] == ["alice"]
    assert first.registration_credentials == ()


def test_the_default_path_of_data_is_relative() -> None:
    assert config().server.data_dir == Path("offhook-data")
