"""What the doctor says of a connector: each setting with a value that it is about."""

from __future__ import annotations

from typing import Any

import pytest
from doctor.facts import CONNECTOR, checks, configured
from hypothesis import given
from hypothesis import strategies as st

from cdc_archive.doctor import connector, known_losses
from cdc_archive.doctor.finding import Severity
from cdc_archive.source.connector import ConnectorFacts, TaskFacts, secrets_of, without_secrets


def found(*connectors: ConnectorFacts) -> list[Any]:
    return list(connector.findings(connectors))


def test_a_sound_connector_gives_nothing_but_ok() -> None:
    """And is told to be so."""
    told = found(CONNECTOR)
    assert checks(told) == set()
    assert len(told) == 3


@pytest.mark.parametrize(
    ("settings", "check"),
    [
        ({"skipped__operations": None}, "skipped-operations"),
        ({"skipped__operations": "t,d"}, "skipped-operations"),
        ({"provide__transaction__metadata": None}, "transaction-metadata"),
        ({"errors__tolerance": "all"}, "errors-tolerance"),
        ({"decimal__handling__mode": "double"}, "decimal-handling"),
        ({"time__precision__mode": "connect"}, "time-precision"),
        ({"binary__handling__mode": "hex"}, "binary-handling"),
        ({"unavailable__value__placeholder": "gone"}, "unavailable-value"),
        ({"tombstones__on__delete": "false"}, "tombstones"),
        ({"plugin__name": None}, "plugin"),
        ({"heartbeat__interval__ms": "0"}, "heartbeat"),
        ({"heartbeat__action__query": None}, "heartbeat-action"),
        ({"slot__drop__on__stop": "true"}, "drops-slot"),
        ({"offset__mismatch__strategy": None}, "offset-mismatch"),
        ({"offset__mismatch__strategy": "trust_slot"}, "offset-mismatch-skips"),
        ({"snapshot__mode": "initial_only"}, "snapshot-only"),
        ({"snapshot__mode": "when_needed"}, "snapshot-mode"),
        ({"snapshot__mode": "no_data"}, "no-snapshot"),
        ({"publication__autocreate__mode": None}, "publication-autocreate"),
        ({"lsn__flush__mode": "manual"}, "lsn-flush"),
        ({"producer__override__acks": "1"}, "producer-acks"),
        ({"producer__override__max__request__size": None}, "request-size"),
        ({"exactly__once__support": None}, "exactly-once"),
        ({"skipped__operations": "${file:/x:y}"}, "provided"),
        ({"value__converter": "io.confluent.connect.avro.AvroConverter"}, "converter"),
        ({"value__converter": "io.debezium.converters.CloudEventsConverter"}, "converter"),
        ({"key__converter": None}, "converter-unknown"),
        ({"column__exclude__list": "app.t.c"}, "columns"),
        ({"column__mask__with__12__chars": "app.t.c"}, "columns"),
        ({"message__key__columns": "app.t:c"}, "message-key"),
        ({"replica__identity__autoset__values": "app.t:DEFAULT"}, "replica-identity-autoset"),
        ({"message__prefix__include__list": "outbox"}, "messages-left-out"),
    ],
)
def test_each_setting_that_loses_or_blurs_is_found(settings: dict[str, Any], check: str) -> None:
    """With the command that sets a better value; and is not found of a sound connector."""
    told = found(configured(**settings))
    assert f"connect.{check}" in checks(told)
    assert f"connect.{check}" not in checks(found(CONNECTOR))


@pytest.mark.parametrize(
    ("kind", "more", "check"),
    [
        ("io.debezium.transforms.ExtractNewRecordState", {}, "flattens"),
        (
            "io.debezium.transforms.ExtractNewRecordState",
            {"delete.tombstone.handling.mode": "drop"},
            "drops-deletes",
        ),
        (
            "io.debezium.transforms.ExtractNewRecordState",
            {"delete.handling.mode": "drop"},
            "drops-deletes",
        ),
        ("io.debezium.transforms.Filter", {}, "filters"),
        ("org.apache.kafka.connect.transforms.Filter", {"predicate": "p"}, "filters"),
        ("io.debezium.transforms.outbox.EventRouter", {}, "outbox"),
        ("io.debezium.transforms.ByLogicalTableRouter", {}, "mixes-tables"),
        ("io.debezium.transforms.partitions.PartitionRouting", {}, "spreads"),
        ("org.apache.kafka.connect.transforms.MaskField$Value", {}, "alters"),
        ("com.example.Ours", {}, "transform-unknown"),
    ],
)
def test_each_transform_that_loses_or_mixes_is_found(
    kind: str, more: dict[str, str], check: str
) -> None:
    """By its class."""
    config = CONNECTOR.config | {"transforms": "one, two", "transforms.one.type": kind}
    config |= {"transforms.two.type": "org.apache.kafka.connect.transforms.InsertHeader"}
    config |= {f"transforms.one.{name}": value for name, value in more.items()}
    told = found(CONNECTOR._replace(config=config))
    assert f"connect.{check}" in checks(told)
    (one,) = [one for one in told if one.check == f"connect.{check}"]
    assert """-d '{"transforms": "two"}'""" in one.mend


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        ({"state": "FAILED"}, "the connector is FAILED"),
        ({"state": "PAUSED"}, "the connector is PAUSED"),
        ({"tasks": ()}, "without a task"),
        ({"tasks": (TaskFacts(0, "FAILED", "no slot"),)}, "task 0 is FAILED: no slot"),
    ],
)
def test_a_connector_that_does_not_run_is_an_error(changes: dict[str, Any], seen: str) -> None:
    """With the reason that Connect tells."""
    told = [one for one in found(CONNECTOR._replace(**changes)) if one.check == "connect.state"]
    assert [one.severity for one in told] == [Severity.ERROR]
    assert seen in told[0].seen


def test_what_a_file_cannot_tell_is_told_as_unknown() -> None:
    """Neither the state nor the version."""
    from_file = CONNECTOR._replace(where="/etc/pg.json", state=None, version=None, tasks=())
    assert checks(found(from_file)) == {"connect.state-unknown", "connect.version-unknown"}
    altered = configured(skipped__operations="t")._replace(where="/etc/pg.json")
    (one,) = [one for one in found(altered) if one.check == "connect.skipped-operations"]
    assert one.mend == "In /etc/pg.json: skipped.operations=none"


def test_two_connectors_with_one_prefix_and_none_at_all_are_errors() -> None:
    """Rows would be mixed; nothing would be captured."""
    assert checks(found(CONNECTOR, CONNECTOR._replace(name="other"))) == {"connect.same-prefix"}
    assert checks(found()) == {"connect.none"}


@pytest.mark.parametrize("fault", known_losses.KNOWN)
def test_each_known_loss_is_told_of_the_versions_before_it_was_mended(
    fault: known_losses.KnownLoss,
) -> None:
    """And not of that version."""
    kind = fault.plugin or "Postgres"
    base = configured(connector__class=f"io.debezium.connector.x.{kind}Connector")
    mended = known_losses.parsed(fault.mended_in)
    assert mended is not None
    major, minor, micro = mended[:3]
    before = f"{major}.{minor - 1}.9.Final" if minor else f"{major - 1}.9.9.Final"
    after = f"{major}.{minor}.{micro}.Final"

    def told(version: str) -> bool:
        findings = known_losses.findings(base._replace(version=version))
        return any(fault.reference in one.seen for one in findings)

    assert told(before)
    assert not told(after)


def test_a_connector_of_another_database_has_no_rules_of_postgresql() -> None:
    """Its database is not looked at, and that is told."""
    mysql = configured(
        connector__class="io.debezium.connector.mysql.MySqlConnector",
        plugin__name=None,
        slot__drop__on__stop="true",
    )
    assert checks(found(mysql)) == {"connect.database-unseen"}


def test_versions_are_in_their_order() -> None:
    """A test release comes before the final one; a vendor's suffix does not matter."""
    ordered = ["2.7.4.Final", "3.7.0.Alpha1", "3.7.0.Alpha2", "3.7.0.Beta1", "3.7.0.CR1"]
    ordered += ["3.7.0.Final", "3.7.1.Final", "3.10.0.Final"]
    parsed = [known_losses.parsed(one) for one in ordered]
    assert parsed == sorted(parsed, key=lambda one: one or ())
    vendor = known_losses.parsed("3.7.0.Final-redhat-00001")
    assert vendor == known_losses.parsed("3.7.0.Final") == known_losses.parsed("3.7.0")
    assert known_losses.parsed("unknown") is None


def test_secrets_of_a_configuration_are_not_kept() -> None:
    """Those of a provider are no secrets, and a key of rows is none either."""
    config = {
        "database.password": "hunter2",
        "producer.override.sasl.jaas.config": "login password=x",
        "database.sslpassword": "${file:/s:p}",
        "message.key.columns": "app.t:id",
        "topic.prefix": "pg",
    }
    kept = without_secrets(config)
    assert kept["database.password"] == "********"
    assert kept["message.key.columns"] == "app.t:id"
    assert "hunter2" not in str(kept)
    assert secrets_of(config) == ["hunter2", "login password=x"]


@given(st.dictionaries(st.sampled_from(sorted(CONNECTOR.config)), st.text(max_size=20)))
def test_no_configuration_makes_a_rule_fail(config: dict[str, str]) -> None:
    """Whatever stands in it."""
    found(CONNECTOR._replace(config=dict(CONNECTOR.config) | config))
