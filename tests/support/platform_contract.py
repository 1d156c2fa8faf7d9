"""What comes back of the acts on the example schema, from the live stack and from its recording."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

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


CERTS = [{"id": "cert_1", "name": "rim"}, {"id": "cert_2", "name": "core"}]
PEM = "-----BEGIN CERTIFICATE-----"
ASSIGNED = {"id": "ra_1", "principal_id": "user_5", "principal_type": "user"} | {
    "resource_id": "proj_1",
    "resource_type": "project",
}
BOUND = {"id": "rb_1", "role_id": "role_1", "resource_id": "proj_1", "resource_type": "project"} | {
    "permissions": ["c"],
    "enabled": True,
    "source": "role_toggle",
}
PROVIDER = {"name": "ci", "issuer": "https://ci.example", "audiences": ["a"], "enabled": True}
MAPPED = {"id": "map_1", "identity_provider_id": "wip_1"}
MAPPED_TO = {"project_id": "proj_1", "service_account_id": "svc_1"}
LIMIT = "max_requests_per_1_minute"

Told = tuple[str, dict[str, Any], str | None, str | None, str]
EXPECTED: list[Told] = [
    # type, payload, who, the project's name as it was then, where the actor was found
    # columns, written by the application
    (
        "project.created",
        {"id": "proj_1", "data": {"name": "one", "title": "One"}},
        "user_1",
        "one",
        "column created_by",
    ),
    (
        "project.updated",
        {"id": "proj_1", "changes_requested": {"title": "Uno"}},
        "user_2",
        "one",
        "column updated_by",
    ),
    (
        "user.added",
        {"id": "user_5", "data": {"role": "member"}},
        "user_1",
        "one",
        "column created_by",
    ),
    (
        "user.updated",
        {"id": "user_5", "changes_requested": {"role": "owner"}},
        "key_2",
        "one",
        "column updated_by",
    ),
    ("user.updated", {"id": "user_5", "changes_requested": {"role": "member"}}, None, "one", ""),
    (
        "project.created",
        {"id": "proj_2", "data": {"name": "two", "title": "Two"}},
        "user_1",
        "two",
        "column created_by",
    ),
    ("project.archived", {"id": "proj_2"}, "user_3", "two", "column updated_by"),
    # columns, filled by the trigger
    *(
        (
            "ip_allowlist.created",
            {"id": one, "name": name, "allowed_ips": [address]},
            "user_4",
            None,
            "column created_by",
        )
        for one, name, address in (
            ("ip_1", "office", "192.0.2.0/24"),
            ("ip_2", "home", "198.51.100.7"),
        )
    ),
    (
        "ip_allowlist.updated",
        {"id": "ip_1", "allowed_ips": ["192.0.2.0/25"]},
        "user_4",
        None,
        "column updated_by",
    ),
    (
        "ip_allowlist.config.activated",
        {"configs": [{"id": "ip_2", "name": "home"}, {"id": "ip_1", "name": "office"}]},
        "user_4",
        None,
        "column updated_by",
    ),
    (
        "ip_allowlist.config.deactivated",
        {"configs": [{"id": "ip_2", "name": "home"}]},
        None,
        None,
        "",
    ),
    (
        "ip_allowlist.deleted",
        {"id": "ip_2", "name": "home", "allowed_ips": ["198.51.100.7"]},
        "key_4",
        None,
        "column deleted_by",
    ),
    (
        "external_key.registered",
        {"id": "ext_1", "data": {"arn": "arn:aws:kms:1", "version": 1.5}},
        "user_5",
        None,
        "column created_by",
    ),
    ("external_key.removed", {"id": "ext_1"}, "user_5", None, "column deleted_by"),
    # messages, sent by hand
    *(
        ("certificate.created", {"id": one, "name": name}, "user_6", None, "message audit.actor")
        for one, name in (("cert_1", "edge"), ("cert_2", "core"))
    ),
    (
        "certificate.updated",
        {"id": "cert_1", "name": "rim"},
        "user_6",
        None,
        "message audit.actor",
    ),
    ("certificates.activated", {"certificates": CERTS}, "user_7", None, "message audit.actor"),
    ("certificates.deactivated", {"certificates": CERTS}, "key_7", None, "message audit.actor"),
    (
        "certificate.deleted",
        {"id": "cert_2", "name": "core", "certificate": PEM},
        "key_7",
        None,
        "message audit.actor",
    ),
    (
        "checkpoint.permission.created",
        {
            "id": "cp_1",
            "data": {"project_id": "proj_1", "fine_tuned_model_checkpoint": "ft:m:1"},
        },
        "user_1",
        "uno",
        "message audit.actor",
    ),
    ("checkpoint.permission.deleted", {"id": "cp_1"}, "user_2", "uno", "message audit.actor"),
    ("project.deleted", {"id": "proj_2"}, "user_3", "two", "message audit.actor"),
    ("user.deleted", {"id": "user_5"}, "user_4", "uno", "message audit.actor"),
    ("user.added", {"id": "user_1", "data": {"role": "owner"}}, None, None, ""),
    ("user.updated", {"id": "user_1", "changes_requested": {"role": "reader"}}, None, None, ""),
    # messages, sent by the trigger
    (
        "group.created",
        {"id": "group_1", "data": {"group_name": "Writers"}},
        "user_1",
        None,
        "message audit.actor",
    ),
    (
        "group.updated",
        {"id": "group_1", "changes_requested": {"group_name": "Authors"}},
        "user_2",
        None,
        "message audit.actor",
    ),
    ("group.deleted", {"id": "group_1"}, "user_3", None, "message audit.actor"),
    (
        "role.created",
        {
            "id": "role_1",
            "role_name": "writer",
            "permissions": ["a", "b"],
            "resource_type": "project",
            "resource_id": "proj_1",
        },
        "user_4",
        "uno",
        "message audit.actor",
    ),
    ("role.assignment.created", ASSIGNED, "user_4", "uno", "message audit.actor"),
    (
        "role.updated",
        {
            "id": "role_1",
            "changes_requested": {
                "permissions_added": ["c"],
                "permissions_removed": ["a"],
                "metadata": {"team": "x"},
            },
        },
        "user_5",
        "uno",
        "message audit.actor",
    ),
    ("role.assignment.deleted", ASSIGNED, "key_6", "uno", "message audit.actor"),
    # a row of its own; an outbox
    (
        "workload_identity_provider.created",
        {"id": "wip_1", "data": PROVIDER},
        "user_7",
        None,
        "row audit_context*",
    ),
    (
        "workload_identity_provider.updated",
        {"id": "wip_1", "changes_requested": {"audiences": ["a", "b"]}},
        "key_7",
        None,
        "row audit_context*",
    ),
    (
        "service_account.created",
        {"id": "svc_1", "data": {"role": "member"}},
        "user_8",
        "uno",
        "row audit_context*",
    ),
    (
        "workload_identity_provider_mapping.created",
        MAPPED | {"data": MAPPED_TO | {"name": "main", "conditions": {"ref": "main"}}},
        "user_8",
        "uno",
        "row audit_context*",
    ),
    (
        "workload_identity_provider_mapping.updated",
        MAPPED | {"changes_requested": {"name": "trunk"}},
        "user_9",
        "uno",
        "row audit_context*",
    ),
    (
        "workload_identity_provider_mapping.deleted",
        MAPPED | MAPPED_TO,
        "user_9",
        "uno",
        "row audit_context*",
    ),
    (
        "workload_identity_provider.deleted",
        {"id": "wip_1", "name": "ci"},
        "user_9",
        None,
        "row audit_context*",
    ),
    ("role.bound_to_resource", BOUND, "user_1", "uno", "row outbox*"),
    ("role.unbound_from_resource", BOUND, "user_2", "uno", "row outbox*"),
    ("role.deleted", {"id": "role_1"}, "user_3", "uno", "message audit.actor"),
    # SQLAlchemy
    *(
        (kind, payload, "user_1", "uno", "message audit.actor")
        for kind, payload in (
            ("api_key.created", {"id": "key_2", "data": {"scopes": ["read"]}}),
            ("service_account.created", {"id": "svc_2", "data": {"role": "member"}}),
        )
    ),
    (
        "api_key.updated",
        {"id": "key_2", "changes_requested": {"scopes": ["read", "write"]}},
        None,
        "uno",
        "",
    ),
    (
        "service_account.updated",
        {"id": "svc_2", "changes_requested": {"role": "owner"}},
        "user_2",
        "uno",
        "message audit.actor",
    ),
    *(
        (
            "rate_limit.updated",
            {"id": "rl-m", "changes_requested": {LIMIT: limit}},
            who,
            "uno",
            "message audit.actor",
        )
        for who, limit in (("user_3", 60), ("user_4", 0))
    ),
    ("rate_limit.deleted", {"id": "rl-m"}, "key_9", "uno", "message audit.actor"),
    ("api_key.deleted", {"id": "key_2"}, "key_2", "uno", "message audit.actor"),
    ("service_account.deleted", {"id": "svc_2"}, "key_2", "uno", "message audit.actor"),
    # Django
    *(
        (
            "invite.sent",
            {"id": f"inv_{number}", "data": {"email": f"i{number}@example.com", "role": "reader"}},
            "user_1",
            None,
            "message audit.actor",
        )
        for number in (1, 2)
    ),
    ("invite.accepted", {"id": "inv_1"}, None, None, ""),
    ("invite.deleted", {"id": "inv_2"}, "user_2", None, "message audit.actor"),
    (
        "organization.updated",
        {"id": "org_1", "changes_requested": {"title": "Acme Inc"}},
        "user_4",
        None,
        "message audit.actor",
    ),
    ("scim.enabled", {"id": "org_1"}, "user_5", None, "message audit.actor"),
    ("scim.disabled", {"id": "org_1"}, "user_6", None, "message audit.actor"),
    (
        "login.failed",
        {"error_code": "bad_password", "error_message": "Wrong password"},
        None,
        None,
        "",
    ),
    ("login.succeeded", {}, "user_3", None, "message audit.actor"),
    ("logout.succeeded", {}, "user_3", None, "message audit.actor"),
    (
        "logout.failed",
        {"error_code": "idp_timeout", "error_message": "No answer"},
        "user_3",
        None,
        "message audit.actor",
    ),
]
"""One for each act, in the order of the acts."""

NOBODY = {
    "user.updated": "stale",
    "ip_allowlist.config.deactivated": "missing",
    "user.added": "ambiguous",
    "api_key.updated": "missing",
    "invite.accepted": "missing",
    "login.failed": "missing",
}
"""The status of the actor where none was told."""


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
