"""Looks at all objects again and again: none may ever change or go."""

from __future__ import annotations

import threading
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError


class Witness:
    """Keeps (ETag, LastModified) of every object from when it was first seen.

    Args:
        s3: a plain client, reaching the server directly.
        bucket: the bucket.
        prefix: of the keys that are watched.
    """

    def __init__(self, s3: Any, bucket: str, prefix: str) -> None:
        self._s3, self._bucket, self._prefix = s3, bucket, prefix
        self.seen: dict[str, tuple[str, object]] = {}
        self.looks = 0
        self._changes: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"witness-{prefix}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look a last time; fails if any object was other than it had been."""
        self._stop.set()
        self._thread.join()
        self._look()
        assert not self._changes, self._changes[:10]
        assert self.looks > 1, "too few looks to notice a change"

    def _run(self) -> None:
        while not self._stop.wait(1):
            try:
                self._look()
            except (BotoCoreError, ClientError):
                continue  # the server is down for now: that is not what is watched here

    def _look(self) -> None:
        pages = self._s3.get_paginator("list_objects_v2")
        now = {
            found["Key"]: (found["ETag"], found["LastModified"])
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix + "/")
            for found in page.get("Contents", ())
        }
        self.looks += 1
        self._changes += [
            f"{key} was {before}, is {now.get(key)}"
            for key, before in self.seen.items()
            if now.get(key) != before
        ]
        self.seen |= now
