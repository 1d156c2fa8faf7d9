"""What only the doctor is put together from. Beside wiring.py, no other module names such parts."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from cdc_archive.cli import wiring
from cdc_archive.config.doctor_settings import DoctorSettings
from cdc_archive.config.settings import Settings, StoreSettings
from cdc_archive.source.connector import ConnectorFacts
from cdc_archive.source.database import DatabaseFacts
from cdc_archive.storage.bucket import BucketFacts, FolderFacts


def connectors(doctor: DoctorSettings) -> list[ConnectorFacts]:
    """The connectors that the settings name, from files and from Kafka Connect."""
    from cdc_archive.source import connect

    found = [connect.read_file(Path(file)) for file in doctor.connector_files]
    if doctor.connect_url is not None:
        secret = doctor.connect_password
        options = connect.ConnectOptions(
            doctor.connect_url,
            doctor.connect_username,
            None if secret is None else secret.get_secret_value(),
            doctor.connect_ca_file,
            doctor.timeout_seconds,
        )
        found += connect.look(options, doctor.connectors)
    return found


def database(doctor: DoctorSettings) -> DatabaseFacts:
    """What PostgreSQL says of itself."""
    try:
        from cdc_archive.source import postgres
    except ImportError:
        raise wiring.lacking("doctor.postgres_dsn is set, but psycopg", "postgres") from None
    dsn = doctor.postgres_dsn
    return postgres.look(dsn.get_secret_value() if dsn is not None else "", doctor.timeout_seconds)


def bucket(settings: Settings) -> BucketFacts:
    """What the bucket of `store.url` says of itself."""
    from cdc_archive.storage.s3_bucket import BucketLook, aws_client

    store = settings.store
    assert store is not None
    url = urlsplit(store.url)
    path = url.path.strip("/")
    return BucketLook(
        wiring.s3_client(settings),
        url.netloc,
        f"{path}/" if path else "",
        is_aws=store.endpoint_url is None or store.endpoint_url.endswith(".amazonaws.com"),
        other_client=partial(aws_client, wiring.s3_options(store)),
        may_try=settings.doctor.try_delete,
    ).facts()


def folder(store: StoreSettings) -> FolderFacts:
    """What the folder of `store.url` is."""
    from cdc_archive.storage.folder import look

    return look(wiring.folder(store))
