"""Sessions of our own make the clients that boto3 makes."""

from __future__ import annotations

import json
from pathlib import Path

import boto3
import pytest

from cdc_archive.storage.aws_session import session


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have some."""
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")


@pytest.mark.parametrize("service", ["s3", "sts", "iam"])
def test_a_service_is_described_as_boto3_describes_it(service: str) -> None:
    """Operations, shapes and addresses come out of the same files."""
    ours = session("id", "secret", None, "eu-west-1")._session.get_component("data_loader")
    theirs = boto3.session.Session()._session.get_component("data_loader")
    for kind in ("service-2", "endpoint-rule-set-1", "paginators-1"):
        assert ours.load_service_model(service, kind) == theirs.load_service_model(service, kind)
    assert ours.load_data("endpoints") == theirs.load_data("endpoints")


def test_credentials_and_region_are_those_given() -> None:
    """And nothing else is looked up."""
    made = session("id", "secret", "token", "eu-west-1")
    found = made.get_credentials()
    assert found is not None
    assert (found.access_key, found.secret_key, found.token) == ("id", "secret", "token")
    assert made.client("s3").meta.endpoint_url == "https://s3.eu-west-1.amazonaws.com"


def test_credentials_that_are_not_given_come_from_boto3s_own_chain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Here from the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "from-environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    found = session(None, None, None, "eu-west-1").get_credentials()
    assert found is not None
    assert found.access_key == "from-environment"


def test_descriptions_of_the_users_own_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the folders of AWS_DATA_PATH, as boto3 does."""
    described = tmp_path / "mine" / "2026-01-01"
    described.mkdir(parents=True)
    (described / "service-2.json").write_text(json.dumps({"metadata": {"serviceId": "Mine"}}))
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    loader = session(None, None, None, "eu-west-1")._session.get_component("data_loader")
    assert loader.load_service_model("mine", "service-2")["metadata"]["serviceId"] == "Mine"
