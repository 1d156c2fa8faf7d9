"""No command about settings shows a secret: right, wrong, misspelt or in the wrong place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from secrecy.conftest import SECRET_SETTINGS, Planted

from cdc_archive.cli import main
from cdc_archive.config import show
from cdc_archive.config.load import variable
from cdc_archive.config.settings import SECTIONS

COMPLETE = {
    variable("kafka.bootstrap_servers"): "a:9092",
    variable("kafka.topics"): "t",
    variable("kafka.security_protocol"): "SASL_SSL",
    variable("kafka.sasl_mechanism"): "SCRAM-SHA-512",
    variable("kafka.sasl_username"): "me",
    variable("store.url"): "s3://bucket/prefix",
    variable("store.access_key_id"): "AKIA",
    variable("doctor.connect_username"): "me",
}
ALL_SETTINGS = [
    f"{section}.{key}" for section, model in SECTIONS.items() for key in model.model_fields
]


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(capfd: pytest.CaptureFixture[str]) -> str:
    out = capfd.readouterr()
    return out.out + out.err


@pytest.fixture
def given(planted_secrets: Planted, monkeypatch: pytest.MonkeyPatch) -> Planted:
    """All secrets, in the environment, beside what makes them complete."""
    for name, value in (COMPLETE | planted_secrets.environ()).items():
        monkeypatch.setenv(name, value)
    return planted_secrets


def test_there_are_secrets_to_be_kept() -> None:
    """The list comes from the models."""
    assert SECRET_SETTINGS == [
        "digest.key_password",
        "doctor.connect_password",
        "doctor.postgres_dsn",
        "kafka.sasl_password",
        "kafka.ssl_key_password",
        "reconcile.http_token",
        "reconcile.s3_secret_access_key",
        "reconcile.s3_session_token",
        "store.secret_access_key",
        "store.session_token",
        "watch.deadman_url",
        "watch.webhook_token",
        "watch.webhook_urls",
    ]


@pytest.mark.parametrize(
    "command",
    [
        ["config", "check"],
        ["config", "show"],
        ["config", "show", "--json"],
        ["config", "example"],
        ["--verbose", "config", "show"],
    ],
)
def test_commands_about_settings_show_none(
    given: Planted, capfd: pytest.CaptureFixture[str], command: list[str]
) -> None:
    """Though each was given and taken."""
    assert main.run(command) == 0
    assert given.found_in(written(capfd)) == []


@pytest.mark.parametrize("verbose", [[], ["--verbose"]])
def test_an_unexpected_error_is_told_without_secrets(
    given: Planted,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    verbose: list[str],
) -> None:
    """Whatever it and its causes say, in the traceback too."""

    def fail(_: object) -> None:
        raise RuntimeError(given.values) from KeyError(given.values["kafka.sasl_password"])

    monkeypatch.setattr(show, "effective", fail)
    assert main.run([*verbose, "config", "show"]) == 1
    told = written(capfd)
    assert "RuntimeError" in told
    assert ("Traceback" in told) == bool(verbose)
    assert given.found_in(told) == []


@pytest.mark.parametrize("form", ["'''{}'''", "['''{}''']", "{{ '''{}''' = '''{}''' }}"])
def test_a_value_of_the_wrong_type_is_not_repeated(
    planted_secrets: Planted, capfd: pytest.CaptureFixture[str], form: str
) -> None:
    """In no setting at all, for anyone may put a secret into the wrong one."""
    planted_words = planted_secrets.words["kafka.sasl_password"]
    text = " ".join(planted_words)
    for setting in ALL_SETTINGS:
        section, key = setting.split(".")
        value = form.format(text, text)
        Path("cdc-archive.toml").write_text(f"[{section}]\n{key} = {value}\n")
        code = main.run(["--verbose", "config", "check"])
        told = written(capfd)
        assert code == 3, setting
        assert planted_secrets.found_in(told) == [], setting


@pytest.mark.parametrize("setting", SECRET_SETTINGS)
def test_a_misspelt_setting_is_told_without_its_value(
    given: Planted,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
) -> None:
    """In the environment and in the file."""
    section, key = setting.split(".")
    value = given.values[setting]
    Path("cdc-archive.toml").write_text(f"[{section}]\n{key}s = {json.dumps(value)}\n")
    monkeypatch.setenv(variable(setting) + "S", value)
    assert main.run(["config", "check"]) == 3
    told = written(capfd)
    assert f"{setting}s is no setting" in told
    assert given.found_in(told) == []


@pytest.mark.parametrize("broken", ["[kafka]\nsasl_password = '{}", "[kafka]\nsasl_password = {}"])
def test_a_broken_file_is_told_without_its_text(
    planted_secrets: Planted, capfd: pytest.CaptureFixture[str], broken: str
) -> None:
    """By line and column."""
    word = planted_secrets.words["kafka.sasl_password"][0]
    Path("cdc-archive.toml").write_text(broken.format(word))
    assert main.run(["--verbose", "config", "check"]) == 3
    assert planted_secrets.found_in(written(capfd)) == []
