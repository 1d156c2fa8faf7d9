"""Certificates of the local stack, made by openssl: good ones, and one of each kind of wrong."""

from __future__ import annotations

import subprocess
from pathlib import Path

from infra.local.artifacts import StackError
from infra.local.processes import StateFolder

KEY_PASSWORD = "key-password"
_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
_HERE = "DNS:localhost,IP:127.0.0.1"


def certificates(state: StateFolder) -> Path:
    """A folder with these PEM files, made once for a stack.

    - `ca`, `other-ca`: authorities; only the first has signed anything.
    - `server`: of localhost and 127.0.0.1. `other-host`: of another name. `expired`: yesterday's.
    - `client`: of a client, its key in `client.key` and, with KEY_PASSWORD, in `client-locked.key`.

    Those of servers have their key in the same file, as Kafka wants it.

    Raises:
        StackError: openssl is missing or fails.
    """
    folder = state.folder("certificates")
    if (folder / ".complete").exists():
        return folder
    for authority in ("ca", "other-ca"):
        name = ("-subj", f"/CN={authority}", "-days", "30")
        _openssl(folder, "req", "-x509", *_NEW_KEY, *name, *_files(authority))
    _signed(folder, "server", _HERE)
    _signed(folder, "other-host", "DNS:kafka.elsewhere.example")
    _signed(folder, "expired", _HERE, days=-1)
    _signed(folder, "client", "DNS:client")
    locked = ("-aes256", "-passout", f"pass:{KEY_PASSWORD}", "-out", "client-locked.key")
    _openssl(folder, "pkey", "-in", "client.key", *locked)
    for server in ("server", "other-host", "expired"):
        with (folder / f"{server}.pem").open("a") as pem:
            pem.write((folder / f"{server}.key").read_text())
    (folder / ".complete").touch()
    return folder


def _signed(folder: Path, name: str, names: str, days: int = 30) -> None:
    subject = ("-subj", f"/CN={name}", "-addext", f"subjectAltName={names}")
    request = f"{name}.request"
    _openssl(folder, "req", *_NEW_KEY, *subject, "-keyout", f"{name}.key", "-out", request)
    authority = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-copy_extensions", "copy")
    out = ("-days", str(days), "-out", f"{name}.pem")
    _openssl(folder, "x509", "-req", "-in", request, *authority, *out)


def _files(name: str) -> tuple[str, ...]:
    return ("-keyout", f"{name}.key", "-out", f"{name}.pem")


def _openssl(folder: Path, *arguments: str) -> None:
    try:
        done = subprocess.run(
            ["openssl", *arguments], cwd=folder, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise StackError("openssl is needed and not installed") from None
    if done.returncode != 0:
        raise StackError(f"failed: openssl {' '.join(arguments)}\n{done.stderr}")
