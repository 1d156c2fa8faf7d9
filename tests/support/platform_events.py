"""The audit events that the acts on the example schema imply, written by hand from the acts.

The acts are those of tests/e2e/platform: workload.sql, then by_sqlalchemy.py, then by_django.py.
"""

from __future__ import annotations

from typing import Any

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
