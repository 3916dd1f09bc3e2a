"""The account of a server: from the configuration, else made on first start and kept in the data directory."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

import attrs

from ..store.sids import Kind, make
from .config import Config
from .problems import ConfigError, Problem
from .values import Wrong, account_sid, secret

FILE = "account.json"


@attrs.frozen
class Account:
    """Who owns the calls, and the key that signs webhooks and opens the HTTP pages."""

    sid: str
    auth_token: str = attrs.field(repr=False)
    kept_in: Path | None = None
    """File that holds the token; None when the configuration does."""
    made: bool = False
    """It was made just now."""


def open_account(config: Config) -> Account:
    """The configured account, or the kept one, or a new one. Makes `data_dir`. Raises ConfigError."""
    directory = config.server.data_dir
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if config.account.sid:
            return Account(config.account.sid, config.account.auth_token)
        return read(directory / FILE) or write(directory / FILE)
    except OSError as error:
        problem = Problem("server.data_dir", f"{error.filename or directory}: {error.strerror}")
        raise ConfigError((problem,)) from error


def read(path: Path) -> Account | None:
    try:
        data = json.loads(path.read_bytes())
        return Account(account_sid(data["sid"]), secret(data["auth_token"]), path)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, Wrong):
        text = "should hold an account's sid and auth_token; put them into [account], or remove the file for a new one"
        raise ConfigError((Problem("", text, str(path)),)) from None


def write(path: Path) -> Account:
    """Make an account and keep it, readable by its owner alone. Two servers that start at once get the same one."""
    account = Account(make(Kind.ACCOUNT), secrets.token_hex(16), path, made=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump({"sid": account.sid, "auth_token": account.auth_token}, file)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        return read(path) or account
    finally:
        draft.unlink(missing_ok=True)
    return account
