"""A missing or misspelt setting is told by name, with where it was looked for and an example."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdc_archive.config.load import load, variable
from cdc_archive.config.settings import SECTIONS
from cdc_archive.config.show import HIDDEN, effective, example, secrets
from cdc_archive.errors import ConfigInvalid

BOTH = ("kafka", "store")
MARKER = "m4rk3r-of-a-secret"
COMPLETE = {
    "CDC_ARCHIVE_KAFKA__BOOTSTRAP_SERVERS": "a:9092, b:9092",
    "CDC_ARCHIVE_KAFKA__TOPICS": "t1,t2",
    "CDC_ARCHIVE_STORE__URL": "s3://bucket/prefix",
}


def refused(environ: dict[str, str], path: Path | None = None, need: tuple[str, ...] = BOTH) -> str:
    with pytest.raises(ConfigInvalid) as caught:
        load(path, environ, need)
    return str(caught.value)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("setting", ["kafka.bootstrap_servers", "kafka.topics", "store.url"])
def test_each_required_setting_is_missed_by_name(setting: str) -> None:
    """What, where in the file, which variable, and an example."""
    message = refused({k: v for k, v in COMPLETE.items() if k != variable(setting)})
    section, key = setting.split(".")
    assert f"- {setting} is not set" in message
    assert f"cdc-archive.toml (no such file), [{section}] {key}" in message
    assert f"environment variable {variable(setting)}" in message
    assert f"example:     {key} = " in message
    assert message.startswith("1 setting is")


def test_all_faults_are_told_at_once() -> None:
    """Nobody has to mend one to learn of the next."""
    message = refused(
        {
            "CDC_ARCHIVE_KAFKA__TOPIKS": "t",
            "CDC_ARCHIVE_ARCHIVE__CODEC": "snappy",
            "CDC_ARCHIVE_WORKER__POLL_SECONDS": "never",
        }
    )
    told = ("CDC_ARCHIVE_KAFKA__TOPIKS", "archive.codec", "worker.poll_seconds", "kafka.topics")
    for name in told:
        assert f"- {name} " in message
    assert message.startswith("6 settings are")


def test_a_misspelt_variable_is_an_error_with_a_suggestion() -> None:
    """This very fault caused the incident."""
    message = refused(COMPLETE | {"CDC_ARCHIVE_KAFKA__BOOTSTRAP_SERVER": "x"})
    assert "did you mean CDC_ARCHIVE_KAFKA__BOOTSTRAP_SERVERS?" in message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[kafka]\ntopik = 1", "kafka.topik is no setting"),
        ("[kafak]\n", "kafak is no section; did you mean kafka?"),
        ("kafka = 1", "kafka is a section: write [kafka]"),
        ("not toml", "is not a TOML file"),
        ("[kafka]\nauto_offset_reset = 'latest'", "would lose what came before"),
        ("[kafka]\ntopic_pattern = '['", "not a regular expression"),
        ("[kafka]\ntopic_pattern = 'x'", "not both"),
        ("[kafka]\nsecurity_protocol = 'SASL_SSL'", "needs sasl_mechanism"),
        ("[kafka]\nsasl_username = 'me'", "need security_protocol SASL_SSL"),
        ("[kafka]\nsecurity_protocol = 'SSL'\nssl_ca_file = '/no/such'", "no such file"),
        ("[store]\nsse_kms_key_id = 'k'", 'needs sse = "aws:kms"'),
        ("[store]\naccess_key_id = 'k'", "go together"),
        ("[archive]\ncommit_bytes = 999999999999", "more than memory_budget_bytes"),
        ("[worker]\nhealth_stale_seconds = 10", "looks stuck"),
    ],
)
def test_contradictions_and_typing_errors_are_told(tmp_path: Path, text: str, says: str) -> None:
    """Each in its own words."""
    path = tmp_path / "settings.toml"
    path.write_text(text)
    assert says in refused(COMPLETE, path)


@pytest.mark.parametrize("setting", ["kafka.topics", "store.url", "store.region"])
def test_an_empty_variable_is_a_fault(setting: str) -> None:
    """Set to nothing is how a forgotten value often looks."""
    message = refused(COMPLETE | {variable(setting): " "})
    assert f"- {setting} is empty: {variable(setting)} is set to nothing" in message
    assert message.startswith("1 setting is")


def test_a_file_that_was_asked_for_must_be_there() -> None:
    """By the option or by the variable."""
    assert "nowhere.toml does not exist" in refused(COMPLETE, Path("nowhere.toml"))
    assert "gone.toml does not exist" in refused(COMPLETE | {"CDC_ARCHIVE_CONFIG": "gone.toml"})


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    """And each value tells its origin."""
    path = tmp_path / "s.toml"
    path.write_text("[kafka]\ngroup_id = 'file'\nclient_id = 'file'")
    loaded = load(path, COMPLETE | {"CDC_ARCHIVE_KAFKA__GROUP_ID": "environment"}, BOTH)
    rows = {row.setting: row for row in effective(loaded)}
    assert rows["kafka.group_id"][1:] == ("environment", "environment CDC_ARCHIVE_KAFKA__GROUP_ID")
    assert rows["kafka.client_id"][1:] == ("file", f"{path} [kafka]")
    assert rows["kafka.session_timeout_ms"][1:] == (45_000, "default")
    assert rows["kafka.bootstrap_servers"][1] == ["a:9092", "b:9092"]


def test_what_a_command_does_not_need_may_be_missing_but_not_wrong() -> None:
    """A reader wants no Kafka settings; a wrong one is told all the same."""
    some = {"CDC_ARCHIVE_KAFKA__BOOTSTRAP_SERVERS": "a:9092", "CDC_ARCHIVE_STORE__URL": "/x"}
    assert load(None, some, ("store",)).settings.kafka is None
    wrong = some | {"CDC_ARCHIVE_KAFKA__CLIENT": "carrier-pigeon"}
    assert "- kafka.client is wrong" in refused(wrong, need=("store",))


def test_the_example_is_a_complete_settings_file(tmp_path: Path) -> None:
    """It is made from the models, names each setting, and is accepted as it is."""
    path = tmp_path / "example.toml"
    path.write_text(example())
    load(path, {}, BOTH)
    for section, model in SECTIONS.items():
        for key in model.model_fields:
            assert f"{key} = " in example().split(f"[{section}]")[1]


SECRETS = [
    f"{section}.{key}"
    for section, model in SECTIONS.items()
    for key, field in model.model_fields.items()
    if "SecretStr" in str(field.annotation)
]


def test_there_are_secrets_to_be_kept() -> None:
    """The parametrisation below is not empty."""
    assert len(SECRETS) == 13


@pytest.mark.parametrize("setting", SECRETS)
def test_a_secret_shows_nowhere(setting: str) -> None:
    """Not in what is shown, not in a repr, not in the message about another fault."""
    environ = COMPLETE | {
        "CDC_ARCHIVE_KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
        "CDC_ARCHIVE_KAFKA__SASL_MECHANISM": "PLAIN",
        "CDC_ARCHIVE_KAFKA__SASL_USERNAME": "me",
        "CDC_ARCHIVE_KAFKA__SASL_PASSWORD": "x",
        "CDC_ARCHIVE_STORE__ACCESS_KEY_ID": "AKIA",
        "CDC_ARCHIVE_STORE__SECRET_ACCESS_KEY": "x",
        "CDC_ARCHIVE_DOCTOR__CONNECT_USERNAME": "me",
        "CDC_ARCHIVE_DOCTOR__CONNECT_PASSWORD": "x",
        variable(setting): MARKER,
    }
    loaded = load(None, environ, BOTH)
    rows = effective(loaded)
    assert {row.setting: row.value for row in rows}[setting] == HIDDEN
    assert MARKER not in str(rows) + repr(loaded)
    assert MARKER in secrets(loaded)
    assert MARKER not in refused(environ | {"CDC_ARCHIVE_KAFKA__SSL_CERT_FILE": MARKER + "/x"})


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("store.endpoint_url", f"http://me:{MARKER}@host"),
        ("store.url", f"s3://me:{MARKER}@bucket/prefix"),
        ("kafka.bootstrap_servers", f"a:9092,me:{MARKER}@b:9092"),
        ("kafka.bootstrap_servers", f"sasl://me:{MARKER}@b:9092"),
    ],
)
def test_a_password_in_an_address_is_refused_and_not_shown(setting: str, value: str) -> None:
    """It would stand in each message about the address."""
    message = refused(COMPLETE | {variable(setting): value})
    assert f"- {setting} is wrong: an address holds no user" in message
    assert MARKER not in message


@pytest.mark.parametrize("url", ["/home/me@work/archive", "s3://bucket/a@b", "./a@b"])
def test_an_at_sign_in_a_path_is_no_password(url: str) -> None:
    """Only what stands before a host is."""
    assert load(None, COMPLETE | {variable("store.url"): url}, BOTH)


@pytest.mark.parametrize("end", ["\n", " ", "é"])
@pytest.mark.parametrize("key", ["secret_access_key", "session_token"])
def test_a_secret_that_no_request_can_carry_is_refused(key: str, end: str) -> None:
    """A line end that came along from a file, most often; the value is not repeated."""
    environ = COMPLETE | {
        variable("store.access_key_id"): "AKIA",
        variable("store.secret_access_key"): "x",
        variable(f"store.{key}"): MARKER + end,
    }
    message = refused(environ)
    assert f"- store.{key} is wrong: holds a space, a line end" in message
    assert MARKER not in message
