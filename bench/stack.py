"""How a benchmark's own clients reach the stack: by the settings that the worker has, too."""

from __future__ import annotations

import os
from typing import Any

import boto3


def servers() -> dict[str, Any]:
    """librdkafka's settings."""
    address = os.environ["CDC_ARCHIVE_KAFKA__BOOTSTRAP_SERVERS"]
    return {"bootstrap.servers": address, "log_level": 0}


def bucket() -> Any:
    """A client of the S3 server."""
    return boto3.client(
        "s3",
        endpoint_url=os.environ["CDC_ARCHIVE_STORE__ENDPOINT_URL"],
        aws_access_key_id=os.environ["CDC_ARCHIVE_STORE__ACCESS_KEY_ID"],
        aws_secret_access_key=os.environ["CDC_ARCHIVE_STORE__SECRET_ACCESS_KEY"],
        region_name=os.environ["CDC_ARCHIVE_STORE__REGION"],
    )
