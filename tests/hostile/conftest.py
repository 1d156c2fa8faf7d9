"""An S3 server in this process, as the stores' own tests have it."""

from __future__ import annotations

from storage.conftest import bucket, s3, s3_options

__all__ = ["bucket", "s3", "s3_options"]
