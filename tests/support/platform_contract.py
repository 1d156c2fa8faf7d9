"""What comes back of the acts on the example schema, from the live stack and from its recording."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from support.platform_events import EXPECTED, NOBODY
from support.replayed import OPENAI, validators

FILES = ("out", "provenance", "report")


class Recovered(NamedTuple):
    """What a replay gave: events, the provenance of each, and the report."""

    events: list[dict[str, Any]]
    proofs: list[dict[str, Any]]
    report: dict[str, Any]

    @staticmethod
    def arguments(folder: Path) -> list[str]:
        """Let `cdc-archive replay` write it into a folder."""
        return [word for name in FILES for word in (f"--{name}", str(folder / name))]

    @classmethod
    def read(cls, folder: Path) -> Recovered:
        """Read it from there."""
        out, provenance, report = ((folder / name).read_text() for name in FILES)
        return cls(
            [json.loads(line) for line in out.splitlines()],
            [json.loads(line) for line in provenance.splitlines()],
            json.loads(report),
        )


def who(event: dict[str, Any]) -> str | None:
    actor = event["actor"] or {}
    key = actor.get("api_key", {})
    return actor.get("session", {}).get("user", {}).get("id") or key.get("id")


class PlatformContract:
    """Subclass it and give a fixture `recovered`: what was replayed of all acts."""

    def test_each_act_gives_its_event(self, recovered: Recovered) -> None:
        """One for each, in order: payload, actor and its source, the project's name."""
        events, proofs, _ = recovered
        told = [
            (
                event["type"],
                event[event["type"]],
                who(event),
                event.get("project", {}).get("name"),
                proof.get("actor_source") or "",
            )
            for event, proof in zip(events, proofs, strict=True)
        ]
        assert told == EXPECTED

    def test_all_types_were_acted_out(self, recovered: Recovered) -> None:
        """All that the mapping has."""
        assert {kind for kind, *_ in EXPECTED} == set(OPENAI.types())

    def test_each_event_passes_both_schemas(self, recovered: Recovered) -> None:
        """OpenAI's, and the strict one."""
        for event in recovered[0]:
            for validator in validators():
                validator.validate(event)

    def test_every_field_of_an_actor_comes_back(self, recovered: Recovered) -> None:
        """From a column, from a message, from a row: what the incident lost."""
        events, proofs, _ = recovered
        whole = {"ip_address", "user_agent", "ja3", "ja4", "ip_address_details"}
        for source in ("column created_by", "message audit.actor", "row audit_context*"):
            session = next(
                event["actor"]["session"]
                for event, proof in zip(events, proofs, strict=True)
                if proof.get("actor_source") == source and "session" in event["actor"]
            )
            number = int(session["user"]["id"].removeprefix("user_"))
            assert session.keys() == whole | {"user"}
            assert session["user"]["email"] == f"u{number}@example.com"
            assert session["ip_address_details"] == {
                "country": "NL",
                "city": "’s-Hertogenbosch",
                "region": "Noord-Brabant",
                "region_code": "NB",
                "asn": str(64496 + number),
                "latitude": "51.69917",
                "longitude": "5.30417",
            }
        key = next(event["actor"] for event in events if who(event) == "key_7")
        assert key["api_key"] == {
            "id": "key_7",
            "type": "service_account",
            "service_account": {"id": "svc_7"},
        }

    def test_an_actor_that_nobody_told_is_null_with_the_reason(self, recovered: Recovered) -> None:
        """Stale, ambiguous, or missing: a pooled connection and a purge lend nobody's."""
        events, proofs, report = recovered
        nobody = [
            (event["type"], proof["actor"])
            for event, proof in zip(events, proofs, strict=True)
            if event["actor"] is None
        ]
        assert [kind for kind, _ in nobody] == [
            kind for kind, _, name, *_ in EXPECTED if name is None
        ]
        assert dict(reversed(nobody)) == NOBODY
        assert sum(report["actor_reasons"].values()) == len(nobody)
        assert report["complete"]

    def test_a_message_or_row_that_told_is_named(self, recovered: Recovered) -> None:
        """By topic, partition and offset."""
        for proof in recovered[1]:
            kind, _, name = (proof.get("actor_source") or "").partition(" ")
            told = proof.get("actor_from")
            if kind == "message":
                assert told["topic"] == "platform.message"
            elif kind == "row":
                assert told["topic"] == f"platform.platform.{name.removesuffix('*')}"

    def test_a_version_before_is_proven_as_the_tables_identity_allows(
        self, recovered: Recovered
    ) -> None:
        """FULL: by the message. DEFAULT: by the archive; also a column kept out of line."""
        by_proof: dict[str, set[str]] = {}
        for proof in recovered.proofs:
            table = proof["table"].removeprefix("lab.platform.")
            by_proof.setdefault(proof["before"], set()).add(table)
        default = {"project", "project_user", "group", "external_key", "session"}
        assert by_proof["reconstructed"] == default
        assert not by_proof["exact"] & default
        renamed = next(one for one in recovered.proofs if one["type"] == "project.updated")
        first = {"topic": "platform.platform.project", "partition": 0, "offset": 0}
        assert renamed["reconstructed_columns"] == {"instructions": first}

    def test_an_event_of_several_rows_names_each(self, recovered: Recovered) -> None:
        """In the order of the transaction."""
        activated = next(one for one in recovered.proofs if one["type"] == "certificates.activated")
        assert [one["key"] for one in activated["members"]] == [
            '{"id":"cert_1"}',
            '{"id":"cert_2"}',
        ]
