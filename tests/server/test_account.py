import json
import stat
from pathlib import Path

import attrs
import pytest

from offhook.server.account import Account, open_account, write
from offhook.server.config import AccountSettings, Config, ServerSettings, SipSettings
from offhook.server.problems import ConfigError


def config(tmp_path: Path, account: AccountSettings | None = None) -> Config:
    return Config(
        sip=SipSettings(domain_suffix="sip.test"),
        server=ServerSettings(data_dir=tmp_path / "data"),
        account=account or AccountSettings(),
    )


def test_an_account_is_made_on_first_start_and_kept_for_its_owner_alone(tmp_path: Path) -> None:
    first = open_account(config(tmp_path))
    assert first.made
    path = tmp_path / "data" / "account.json"
    assert first.kept_in == path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]
    again = open_account(config(tmp_path))
    assert again == attrs.evolve(first, made=False)
    assert first.auth_token not in repr(first)


def test_a_configured_account_is_used_and_not_written_down(tmp_path: Path) -> None:
    settings = AccountSettings(sid="AC" + "a" * 32, auth_token="configured")
    assert open_account(config(tmp_path, settings)) == Account("AC" + "a" * 32, "configured")
    assert list((tmp_path / "data").iterdir()) == []


def test_two_first_starts_agree_on_one_account(tmp_path: Path) -> None:
    first = write(tmp_path / "account.json")
    second = write(tmp_path / "account.json")
    assert (second.sid, second.auth_token) == (first.sid, first.auth_token)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"sid": "AC1", "auth_token": "x"}', "\xff"])
def test_a_spoilt_account_file_is_told_not_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "account.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"account\.json: should hold"):
        open_account(config(tmp_path))
    assert path.read_bytes() == text.encode("latin-1")


def test_the_kept_file_is_plain_json(tmp_path: Path) -> None:
    account = open_account(config(tmp_path))
    assert account.kept_in is not None
    assert json.loads(account.kept_in.read_text()) == {"sid": account.sid, "auth_token": account.auth_token}


def test_a_data_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(ConfigError, match=r"server\.data_dir"):
        open_account(config(tmp_path))
