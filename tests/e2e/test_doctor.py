"""The doctor on real servers: each thing is broken, found, mended by the printed command, and
well."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from support.real_stack import RealStack, stop_gracefully, wait_until

from infra.local import artifacts, parts

pytestmark = pytest.mark.e2e

NAME = "clinic"
SECRET = "s3cr3t-0f-the-doctor"
TOPIC = "clinic.clinic.patient"
SCHEMA = """
CREATE SCHEMA clinic;
CREATE TABLE clinic.patient (id int PRIMARY KEY, name text, notes text);
CREATE TABLE clinic.visit (id int PRIMARY KEY, patient int);
ALTER TABLE clinic.patient REPLICA IDENTITY FULL;
ALTER TABLE clinic.visit REPLICA IDENTITY FULL;
INSERT INTO clinic.patient VALUES (1, 'one', '');
INSERT INTO clinic.visit VALUES (1, 1);
CREATE PUBLICATION clinic FOR TABLE clinic.patient, clinic.visit;
"""
JSON = "org.apache.kafka.connect.json.JsonConverter"
SOUND = {
    "schema.include.list": "clinic",
    "publication.name": NAME,
    "offset.mismatch.strategy": "trust_offset",
    "heartbeat.action.query": "SELECT pg_logical_emit_message(false, 'heartbeat', '')",
    "key.converter": JSON,
    "value.converter": JSON,
    "key.converter.schemas.enable": "false",
    "value.converter.schemas.enable": "false",
    "producer.override.max.request.size": "8388608",
}
SETTINGS = {
    "CDC_ARCHIVE_STORE__URL": "s3://archive/clinic",
    "CDC_ARCHIVE_KAFKA__TOPIC_PATTERN": r"(__debezium-heartbeat\.)?clinic(\..*)?",
    "CDC_ARCHIVE_KAFKA__GROUP_ID": NAME,
    "CDC_ARCHIVE_KAFKA__METADATA_MAX_AGE_MS": "500",
    "CDC_ARCHIVE_ARCHIVE__COMMIT_AGE_SECONDS": "0.5",
    "CDC_ARCHIVE_DOCTOR__CONNECTORS": NAME,
}


class Clinic:
    """A connector of its own, and the doctor that looks at it."""

    def __init__(self, stack: RealStack) -> None:
        self.stack = stack
        where = f"127.0.0.1:{stack.state.port('postgres')}/lab"
        self.settings = SETTINGS | {
            "CDC_ARCHIVE_DOCTOR__POSTGRES_DSN": f"postgresql://postgres:{SECRET}@{where}",
            "CDC_ARCHIVE_DOCTOR__CONNECT_URL": f"http://127.0.0.1:{stack.state.port('connect')}",
        }

    def found(self, only: str, **settings: str) -> list[dict[str, str]]:
        done = self.stack.cli("doctor", "--json", "--only", only, **self.settings | settings)
        assert done.returncode in (0, 24), done.stderr
        assert SECRET not in done.stdout + done.stderr
        told = [json.loads(line) for line in done.stdout.splitlines()]
        assert (done.returncode == 24) == any(one["severity"] == "error" for one in told)
        return told

    def of(self, check: str, about: str = "", **settings: str) -> list[dict[str, str]]:
        """Findings of one check, about one thing."""
        told = self.found(check.partition(".")[0], **settings)
        return [one for one in told if one["check"] == check and about in one["about"]]

    def mends(self, check: str, about: str, how: Any) -> None:
        """The finding is there, its own command takes it away."""
        (one,) = self.of(check, about)
        how(one["mend"])
        wait_until(lambda: not self.of(check, about), f"{check} to be mended", 20)

    def configure(self, setting: str, value: str) -> None:
        resource = ConfigResource(ResourceType.TOPIC, TOPIC)
        set_it = AlterConfigOpType.SET
        resource.add_incremental_config(ConfigEntry(setting, value, incremental_operation=set_it))
        admin = AdminClient({"bootstrap.servers": self.stack.kafka})
        for future in admin.incremental_alter_configs([resource]).values():
            future.result(20)


def run_kafka_configs(command: str) -> None:
    """The printed command; the shell script is a line around this class."""
    program, *arguments = shlex.split(command, comments=True)
    assert program == "kafka-configs.sh"
    java = ["java", "-cp", f"{artifacts.kafka_jars()}/*", "kafka.admin.ConfigCommand"]
    subprocess.run([*java, *arguments], check=True, capture_output=True, timeout=60)


def run_shell(command: str) -> None:
    subprocess.run(["bash", "-ec", command], check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def clinic(stack: RealStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    stack.psql(SCHEMA)
    stack.register(NAME, **SOUND)
    one = Clinic(stack)
    log = tmp_path_factory.mktemp("clinic") / "worker.log"
    worker = stack.worker(log, **one.settings)
    wait_until(lambda: bool(one.of("archive.ok")), "the archive to begin", 60)
    yield one
    code = worker.poll() or stop_gracefully(worker)
    assert code in (0, 8), log.read_text()[-3000:]  # 8: the last test loses the slot
    stack.unregister(NAME)


def test_sound_parts_have_no_errors_but_what_this_stack_cannot_help(clinic: Clinic) -> None:
    """The version of Debezium, one broker, and credentials of root."""
    told = clinic.found("settings,postgres,connect,kafka,bucket,archive")
    errors = {one["check"] for one in told if one["severity"] == "error"}
    assert errors == {"connect.loses-changes", "bucket.may-delete"}
    oks = [one["seen"] for one in told if one["severity"] == "ok"]
    for seen in ("identity FULL: all 2 tables", "publishes all that is captured", "runs, with 1"):
        assert any(seen in one for one in oks), seen
    assert any("1 worker(s)" in one for one in oks)


def test_both_clients_of_kafka_see_the_same(clinic: Clinic) -> None:
    """But for the sizes of logs, which are not asked for without a limit by size."""
    python = clinic.found("kafka")
    librdkafka = clinic.found("kafka", CDC_ARCHIVE_KAFKA__CLIENT="librdkafka")
    assert python == librdkafka


@pytest.mark.parametrize(
    ("sql", "check", "about"),
    [
        ("ALTER TABLE clinic.visit REPLICA IDENTITY DEFAULT", "identity-default", "clinic.visit"),
        ("ALTER TABLE clinic.visit REPLICA IDENTITY NOTHING", "identity-nothing", "clinic.visit"),
        (
            "ALTER TABLE clinic.visit DROP CONSTRAINT visit_pkey, REPLICA IDENTITY DEFAULT",
            "no-key",
            "clinic.visit",
        ),
        ("ALTER PUBLICATION clinic DROP TABLE clinic.patient", "unpublished", "clinic.patient"),
        ("ALTER PUBLICATION clinic SET (publish = 'insert')", "publish", "clinic"),
    ],
)
def test_what_is_wrong_in_the_database_is_mended_by_the_printed_sql(
    clinic: Clinic, sql: str, check: str, about: str
) -> None:
    """Replica identities and the publication."""
    assert not clinic.of(f"postgres.{check}", about)
    clinic.stack.psql(sql)
    clinic.mends(f"postgres.{check}", about, clinic.stack.psql)


def test_long_values_are_told_where_they_really_lie_out_of_line(clinic: Clinic) -> None:
    """Not for every text column."""
    clinic.stack.psql(
        "ALTER TABLE clinic.patient REPLICA IDENTITY DEFAULT;"
        "ALTER TABLE clinic.patient ALTER notes SET STORAGE EXTERNAL;"
    )
    assert not clinic.of("postgres.out-of-line", "clinic.patient")
    clinic.stack.psql("UPDATE clinic.patient SET notes = repeat('long ', 4000)")
    (one,) = clinic.of("postgres.out-of-line", "clinic.patient")
    assert "notes" in one["seen"]
    clinic.mends("postgres.out-of-line", "clinic.patient", clinic.stack.psql)


@pytest.mark.parametrize(
    ("setting", "value", "check"),
    [
        ("cleanup.policy", "compact", "kafka.compacts"),
        ("retention.ms", "3600000", "kafka.retention-short"),
        ("retention.bytes", "10000000", "kafka.retention-bytes"),
        ("unclean.leader.election.enable", "true", "kafka.unclean-election"),
        ("message.timestamp.type", "LogAppendTime", "kafka.append-time"),
    ],
)
def test_what_is_wrong_with_a_topic_is_mended_by_the_printed_command(
    clinic: Clinic, setting: str, value: str, check: str
) -> None:
    """Of the topic that was altered, and of no other."""
    assert not clinic.of(check, TOPIC)
    clinic.configure(setting, value)
    clinic.mends(check, TOPIC, run_kafka_configs)


@pytest.mark.parametrize(
    ("setting", "value", "check"),
    [
        ("skipped.operations", "t", "skipped-operations"),
        ("provide.transaction.metadata", "false", "transaction-metadata"),
        ("errors.tolerance", "all", "errors-tolerance"),
        ("column.exclude.list", "clinic.patient.name", "columns"),
        ("heartbeat.action.query", "", "heartbeat-action"),
    ],
)
def test_what_is_wrong_with_a_connector_is_mended_by_the_printed_command(
    clinic: Clinic, setting: str, value: str, check: str
) -> None:
    """Connect takes the request as it stands."""
    url = f"http://127.0.0.1:{clinic.stack.state.port('connect')}/connectors/{NAME}/config"
    body = json.dumps({setting: value or None})
    header = "Content-Type: application/json"
    run_shell(f"curl -sfS -X PATCH -H '{header}' {url} -d {shlex.quote(body)}")
    clinic.mends(f"connect.{check}", NAME, run_shell)


def test_a_connector_that_was_paused_is_resumed_by_the_printed_command(clinic: Clinic) -> None:
    """And one whose slot nobody reads is told by the database too."""
    clinic.stack.stop_connector(NAME)
    assert clinic.of("postgres.slot-inactive", "slot_clinic")
    clinic.mends("connect.state", NAME, run_shell)
    wait_until(lambda: not clinic.of("postgres.slot-inactive"), "the slot to be read")


def test_topics_that_the_settings_do_not_cover_are_told(clinic: Clinic) -> None:
    """Transaction metadata and logical messages; heartbeats are a note."""
    narrow = {"CDC_ARCHIVE_KAFKA__TOPIC_PATTERN": r"clinic\.clinic\..*"}
    unread = {one["about"] for one in clinic.of("kafka.topic-unread", **narrow)}
    assert {"clinic.transaction", "clinic.message"} <= unread
    (beats,) = clinic.of("kafka.heartbeat-unread", **narrow)
    assert (beats["about"], beats["severity"]) == ("__debezium-heartbeat.clinic", "note")


def test_the_shipped_rights_suffice_and_without_them_the_rest_is_still_told(
    clinic: Clinic,
) -> None:
    """A user with pg_monitor sees all; one without sees no sessions, and that is told."""
    script = Path("infra/sql/doctor.sql").read_text().replace(":'password'", f"'{SECRET}'")
    clinic.stack.psql(f"{script}; CREATE ROLE nobody LOGIN PASSWORD '{SECRET}';")
    port = clinic.stack.state.port("postgres")

    def seen_by(user: str) -> set[tuple[str, str]]:
        dsn = f"postgresql://{user}:{SECRET}@127.0.0.1:{port}/lab"
        told = clinic.found("postgres", CDC_ARCHIVE_DOCTOR__POSTGRES_DSN=dsn)
        return {(one["check"], one["about"]) for one in told}

    everything = seen_by("postgres")
    assert seen_by("cdc_archive_doctor") == everything
    assert seen_by("nobody") - everything == {("postgres.unseen", "sessions")}


def test_looking_leaves_the_bucket_as_it_was(clinic: Clinic) -> None:
    """But for commits that the worker makes meanwhile: no key under doctor/, no other probe."""
    clinic.found("bucket")
    listed = clinic.stack.s3().list_objects_v2(Bucket=parts.BUCKET, Prefix="clinic/")["Contents"]
    keys = [one["Key"] for one in listed]
    assert not [key for key in keys if "doctor" in key]
    assert keys.count("clinic/archive.probe") == 1


def test_a_slot_that_lost_its_log_is_told_and_mended_as_it_says(clinic: Clinic) -> None:
    """max_slot_wal_keep_size throws it away while the connector stands still."""
    stack = clinic.stack
    stack.stop_connector(NAME)
    stack.psql("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
    stack.psql("SELECT pg_reload_conf()")
    try:
        write = "INSERT INTO clinic.visit SELECT n, 1 FROM generate_series(10, 20) n;"
        stack.psql(write)
        wait_until(lambda: _is_lost(stack), "the slot to be lost", 30)
        (one,) = clinic.of("postgres.slot-lost", "slot_clinic")
        assert "SELECT pg_drop_replication_slot('slot_clinic');" in one["mend"]
        assert clinic.of("postgres.slot-limited", "slot_clinic")
    finally:
        stack.psql("ALTER SYSTEM RESET max_slot_wal_keep_size")
        stack.psql("SELECT pg_reload_conf()")
    stack.forget_offsets(NAME)
    stack.psql("SELECT pg_drop_replication_slot('slot_clinic')")
    assert clinic.of("postgres.slot-missing", "slot_clinic")
    stack.resume_connector(NAME)
    wait_until(lambda: not clinic.of("postgres.slot-missing"), "the slot to be made anew", 30)
    assert not clinic.of("postgres.slot-lost")


def _is_lost(stack: RealStack) -> bool:
    stack.psql("SELECT pg_switch_wal(); CHECKPOINT;")
    status = "SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'slot_clinic'"
    return stack.psql(status) == "lost"
