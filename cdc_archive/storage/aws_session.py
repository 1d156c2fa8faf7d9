"""boto3 sessions that read the descriptions of AWS's services quickly.

Each client is made of its service's description, JSON that comes with botocore. Python's own reader
of JSON takes a quarter of what it costs to make one, which every command pays that asks S3.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import boto3
import msgspec
from botocore.loaders import JSONFileLoader, create_loader
from botocore.session import get_session


class _Quick(JSONFileLoader):
    """Reads what botocore's own loader of files reads."""

    def load_file(self, file_path: str) -> Any:
        """The JSON value in a file that is named without its ending; None: there is none."""
        plain, packed = Path(f"{file_path}.json"), Path(f"{file_path}.json.gz")
        if plain.is_file():
            return msgspec.json.decode(plain.read_bytes())
        if packed.is_file():
            return msgspec.json.decode(gzip.decompress(packed.read_bytes()))
        return None


def session(
    access_key_id: str | None,
    secret_access_key: str | None,
    session_token: str | None,
    region: str | None,
) -> boto3.session.Session:
    """A session; what is None is left to boto3's own chain (profile, role, environment)."""
    inner = get_session()
    loader = create_loader(inner.get_config_variable("data_path"))
    loader.file_loader = _Quick()
    inner.register_component("data_loader", loader)
    return boto3.session.Session(
        access_key_id, secret_access_key, session_token, region, botocore_session=inner
    )
