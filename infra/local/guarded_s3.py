"""An S3 server with TLS, users and policies, versions and Object Lock; for tests of such things."""

from __future__ import annotations

from infra.local import artifacts
from infra.local.certificates import certificates
from infra.local.processes import StateFolder, answers

ROOT_KEY, ROOT_SECRET = "guarded-root", "guarded-root-secret"
_ROOT = {"ROOT_ACCESS_KEY": ROOT_KEY, "ROOT_SECRET_KEY": ROOT_SECRET}


def start(state: StateFolder) -> None:
    """IAM's API on port `iam` (plain HTTP), S3 with TLS on port `s3-tls`."""
    pem, program = certificates(state), artifacts.versitygw()
    socket = state.root / "iam.sock"
    iam = ("--port", f"127.0.0.1:{state.port('iam')}", "--quiet", "iam", "--private-ports", socket)
    state.start(
        "iam",
        [program, *iam, "--dir", state.folder("iam")],
        lambda: answers(state.port("iam")) and socket.exists(),
        _ROOT,
    )
    tls = ("--cert", pem / "server.pem", "--key", pem / "server.key")
    listen = ("--port", f"127.0.0.1:{state.port('s3-tls')}", "--quiet", *tls)
    users = ("--iam-standalone-endpoint", socket, "--iam-cache-disable")
    kept = ("--versioning-dir", state.folder("s3-versions"))
    state.start(
        "s3-tls",
        [program, *listen, *users, "posix", *kept, state.folder("s3-guarded")],
        lambda: answers(state.port("s3-tls")),
        _ROOT,
    )


def stop(state: StateFolder) -> None:
    """Both processes; the data stays."""
    for name in ("s3-tls", "iam"):
        state.stop(name)
