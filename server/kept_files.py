"""Certificates and keys that offhook made, as files that only its own user can read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from ..transport.own_authority import Issued
from ..transport.tls import KeyPair


def kept(pair: KeyPair) -> Issued | None:
    """What is in the files; None when one of them is missing. Raises OSError."""
    try:
        return Issued(pair.certificate.read_bytes(), pair.key.read_bytes())
    except FileNotFoundError:
        return None


def keep(pair: KeyPair, issued: Issued) -> None:
    """Write both files, each whole or not at all; the certificate last, since it is what tells that both are there.
    Raises OSError."""
    pair.key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(pair.key, issued.key)
    write_whole(pair.certificate, issued.certificate)


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file by one that only we can read. Raises OSError."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
