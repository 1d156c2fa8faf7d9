"""What an application does to the rows of the example schema, and the event that it is."""

from __future__ import annotations

from typing import Any, NamedTuple

Row = dict[str, Any]
AT = "2026-02-19T16:00:00.000000Z"
IN_ONE = {"id": "proj_1", "name": "one"}


class Act(NamedTuple):
    """What one statement did to one row."""

    table: str
    before: Row | None
    after: Row | None


def made(table: str, **row: Any) -> Act:
    return Act(table, None, row)


def gone(table: str, **row: Any) -> Act:
    return Act(table, row, None)


def set_in(table: str, row: Row, **columns: Any) -> Act:
    return Act(table, row, row | columns)


PROJECT = {"id": "proj_1", "name": "one", "title": "One", "status": "active", "archived_at": None}
KEY = {"id": "key_1", "project_id": "proj_1", "scopes": ["read"], "deleted_at": None}
SERVICE = {"id": "svc_1", "project_id": "proj_1", "role": "member", "deleted_at": None}
INVITE = {"id": 7, "email": "a@example.com", "role": "reader", "status": "pending"} | {
    "accepted_at": None,
    "deleted_at": None,
}
ORG = {"id": "org_1", "title": "Acme", "scim_enabled": False, "billing_email": "a@example.com"} | {
    "api_call_logging_project_ids": None
}
MEMBER = {"id": 1, "user_id": "user_5", "role": "reader", "deleted_at": None}
IN_PROJECT = {"project_id": "proj_1", "user_id": "user_5", "role": "member"}
LIMIT = {"id": "rl-m", "project_id": "proj_1", "model": "m", "max_requests_per_1_minute": 60} | {
    "batch_1_day_max_input_tokens": None
}
PERMISSION = {"id": "cp_1", "project_id": "proj_1", "fine_tuned_model_checkpoint": "ft:m:ckpt"}
EXTERNAL = {"id": "ext_1", "config": '{"arn": "arn:1", "n": 1.50}', "deleted_at": None}
CERT = {"id": "cert_1", "name": "edge", "content": "-----BEGIN", "active": False}
ALLOW = {"id": "ip_1", "name": "office", "allowed_ips": ["192.0.2.0/24"], "active": False} | {
    "deleted_at": None
}
LOGIN = {"id": 1, "user_id": "user_5", "error_code": None, "error_message": None}
SESSION = {"id": "sess_1", "user_id": "user_5", "last_seen_at": None, "logged_out_at": None}
FAILED = {"succeeded": False, "error_code": "bad_password", "error_message": "Wrong password"}
PROVIDER = {"id": "wip_1", "name": "ci", "issuer": "https://ci.example", "audiences": ["a"]} | {
    "description": None,
    "enabled": True,
    "deleted_at": None,
}
MAPPED = {"id": "map_1", "identity_provider_id": "wip_1", "project_id": "proj_1"} | {
    "service_account_id": "svc_1",
    "name": "main",
    "conditions": '{"ref": "main"}',
}
GROUP = {"id": "group_1", "name": "Writers", "deleted_at": None}
ROLE = {"id": "role_1", "name": "writer", "description": None, "permissions": ["a", "b"]} | {
    "resource_type": "project",
    "resource_id": "proj_1",
    "metadata": None,
    "deleted_at": None,
}
ASSIGNED = {"id": "ra_1", "role_id": "role_1", "principal_id": "user_5"} | {
    "principal_type": "user",
    "resource_id": "proj_1",
    "resource_type": "project",
}
ASSIGNED_PAYLOAD = {name: ASSIGNED[name] for name in ASSIGNED if name != "role_id"}
BOUND = {"id": "rb_1", "role_id": "role_1", "resource_id": "org_1", "resource_type": "org"} | {
    "permissions": ["a"],
    "workspace_id": None,
    "connector_id": "con_1",
    "connector_name": "Drive",
    "enabled": True,
    "source": "role_toggle",
}
BOUND_PAYLOAD = {name: value for name, value in BOUND.items() if value is not None}

ACTS: list[tuple[str, list[Act], Row, Row | None]] = [
    # type, what is done in one transaction, the event's payload and its project
    ("api_key.created", [made("api_key", **KEY)], {"data": {"scopes": ["read"]}}, IN_ONE),
    (
        "api_key.updated",
        [set_in("api_key", KEY, scopes=["read", "write"])],
        {"changes_requested": {"scopes": ["read", "write"]}},
        IN_ONE,
    ),
    ("api_key.deleted", [set_in("api_key", KEY, deleted_at=AT)], {}, IN_ONE),
    ("api_key.deleted", [gone("api_key", **KEY)], {}, IN_ONE),
    (
        "service_account.created",
        [made("service_account", **SERVICE)],
        {"data": {"role": "member"}},
        IN_ONE,
    ),
    (
        "service_account.updated",
        [set_in("service_account", SERVICE, role="owner")],
        {"changes_requested": {"role": "owner"}},
        IN_ONE,
    ),
    (
        "service_account.deleted",
        [set_in("service_account", SERVICE, deleted_at=AT)],
        {},
        IN_ONE,
    ),
    (
        "invite.sent",
        [made("invite", **INVITE)],
        {"id": "7", "data": {"email": "a@example.com", "role": "reader"}},
        None,
    ),
    ("invite.accepted", [set_in("invite", INVITE, status="accepted")], {"id": "7"}, None),
    ("invite.deleted", [set_in("invite", INVITE, deleted_at=AT)], {"id": "7"}, None),
    ("invite.deleted", [gone("invite", **INVITE)], {"id": "7"}, None),
    (
        "organization.updated",
        [set_in("organization", ORG, title="Acme Inc", api_call_logging_project_ids=["a", "b"])],
        {"changes_requested": {"title": "Acme Inc", "api_call_logging_project_ids": "a,b"}},
        None,
    ),
    ("scim.enabled", [set_in("organization", ORG, scim_enabled=True)], {}, None),
    (
        "scim.disabled",
        [set_in("organization", ORG | {"scim_enabled": True}, scim_enabled=False)],
        {},
        None,
    ),
    (
        "project.created",
        [made("project", **PROJECT)],
        {"data": {"name": "one", "title": "One"}},
        IN_ONE,
    ),
    (
        "project.updated",
        [set_in("project", PROJECT, title="Uno")],
        {"changes_requested": {"title": "Uno"}},
        IN_ONE,
    ),
    (
        "project.archived",
        [set_in("project", PROJECT, status="archived", archived_at=AT)],
        {},
        IN_ONE,
    ),
    ("project.deleted", [gone("project", **PROJECT)], {}, IN_ONE),
    (
        "user.added",
        [made("organization_user", **MEMBER)],
        {"id": "user_5", "data": {"role": "reader"}},
        None,
    ),
    (
        "user.added",
        [made("project_user", **IN_PROJECT)],
        {"id": "user_5", "data": {"role": "member"}},
        IN_ONE,
    ),
    (
        "user.updated",
        [set_in("project_user", IN_PROJECT, role="owner")],
        {"id": "user_5", "changes_requested": {"role": "owner"}},
        IN_ONE,
    ),
    ("user.deleted", [gone("project_user", **IN_PROJECT)], {"id": "user_5"}, IN_ONE),
    ("user.deleted", [set_in("organization_user", MEMBER, deleted_at=AT)], {"id": "user_5"}, None),
    (
        "rate_limit.updated",
        [made("rate_limit", **LIMIT)],
        {"changes_requested": {"max_requests_per_1_minute": 60}},
        IN_ONE,
    ),
    (
        "rate_limit.updated",
        [set_in("rate_limit", LIMIT, max_requests_per_1_minute=0)],
        {"changes_requested": {"max_requests_per_1_minute": 0}},
        IN_ONE,
    ),
    ("rate_limit.deleted", [gone("rate_limit", **LIMIT)], {}, IN_ONE),
    (
        "checkpoint.permission.created",
        [made("checkpoint_permission", **PERMISSION)],
        {"data": {"project_id": "proj_1", "fine_tuned_model_checkpoint": "ft:m:ckpt"}},
        IN_ONE,
    ),
    (
        "checkpoint.permission.deleted",
        [gone("checkpoint_permission", **PERMISSION)],
        {},
        IN_ONE,
    ),
    (
        "external_key.registered",
        [made("external_key", **EXTERNAL)],
        {"data": {"arn": "arn:1", "n": 1.5}},
        None,
    ),
    ("external_key.removed", [set_in("external_key", EXTERNAL, deleted_at=AT)], {}, None),
    ("certificate.created", [made("certificate", **CERT)], {"name": "edge"}, None),
    ("certificate.updated", [set_in("certificate", CERT, name="core")], {"name": "core"}, None),
    (
        "certificate.deleted",
        [gone("certificate", **CERT)],
        {"name": "edge", "certificate": "-----BEGIN"},
        None,
    ),
    (
        "certificates.activated",
        [
            set_in("certificate", CERT, active=True),
            set_in("certificate", CERT | {"id": "cert_2", "name": "core"}, active=True),
        ],
        {"certificates": [{"id": "cert_1", "name": "edge"}, {"id": "cert_2", "name": "core"}]},
        None,
    ),
    (
        "certificates.deactivated",
        [set_in("certificate", CERT | {"active": True}, active=False)],
        {"certificates": [{"id": "cert_1", "name": "edge"}]},
        None,
    ),
    (
        "ip_allowlist.created",
        [made("ip_allowlist", **ALLOW)],
        {"name": "office", "allowed_ips": ["192.0.2.0/24"]},
        None,
    ),
    (
        "ip_allowlist.updated",
        [set_in("ip_allowlist", ALLOW, allowed_ips=["192.0.2.1/32"])],
        {"allowed_ips": ["192.0.2.1/32"]},
        None,
    ),
    (
        "ip_allowlist.deleted",
        [set_in("ip_allowlist", ALLOW, deleted_at=AT)],
        {"name": "office", "allowed_ips": ["192.0.2.0/24"]},
        None,
    ),
    (
        "ip_allowlist.config.activated",
        [
            set_in("ip_allowlist", ALLOW, active=True),
            set_in("ip_allowlist", ALLOW | {"id": "ip_2", "name": "home"}, active=True),
        ],
        {"configs": [{"id": "ip_1", "name": "office"}, {"id": "ip_2", "name": "home"}]},
        None,
    ),
    (
        "ip_allowlist.config.deactivated",
        [set_in("ip_allowlist", ALLOW | {"active": True}, active=False)],
        {"configs": [{"id": "ip_1", "name": "office"}]},
        None,
    ),
    ("login.succeeded", [made("login_attempt", **LOGIN, succeeded=True)], {}, None),
    (
        "login.failed",
        [made("login_attempt", **LOGIN | FAILED)],
        {"error_code": "bad_password", "error_message": "Wrong password"},
        None,
    ),
    ("logout.succeeded", [set_in("session", SESSION, logged_out_at=AT)], {}, None),
    (
        "logout.failed",
        [made("logout_attempt", id=1, succeeded=False, error_code="idp", error_message="timeout")],
        {"error_code": "idp", "error_message": "timeout"},
        None,
    ),
    (
        "workload_identity_provider.created",
        [made("workload_identity_provider", **PROVIDER)],
        {
            "data": {
                "name": "ci",
                "issuer": "https://ci.example",
                "audiences": ["a"],
                "enabled": True,
            }
        },
        None,
    ),
    (
        "workload_identity_provider.updated",
        [set_in("workload_identity_provider", PROVIDER, audiences=["a", "b"], enabled=False)],
        {"changes_requested": {"audiences": ["a", "b"], "enabled": False}},
        None,
    ),
    (
        "workload_identity_provider.deleted",
        [set_in("workload_identity_provider", PROVIDER, deleted_at=AT)],
        {"name": "ci"},
        None,
    ),
    (
        "workload_identity_provider_mapping.created",
        [made("workload_identity_provider_mapping", **MAPPED)],
        {
            "identity_provider_id": "wip_1",
            "data": {
                "project_id": "proj_1",
                "service_account_id": "svc_1",
                "name": "main",
                "conditions": {"ref": "main"},
            },
        },
        IN_ONE,
    ),
    (
        "workload_identity_provider_mapping.updated",
        [set_in("workload_identity_provider_mapping", MAPPED, conditions='{"ref": "dev"}')],
        {
            "identity_provider_id": "wip_1",
            "changes_requested": {"conditions": {"ref": "dev"}},
        },
        IN_ONE,
    ),
    (
        "workload_identity_provider_mapping.deleted",
        [gone("workload_identity_provider_mapping", **MAPPED)],
        {
            "identity_provider_id": "wip_1",
            "project_id": "proj_1",
            "service_account_id": "svc_1",
        },
        IN_ONE,
    ),
    ("group.created", [made("group", **GROUP)], {"data": {"group_name": "Writers"}}, None),
    (
        "group.updated",
        [set_in("group", GROUP, name="Authors")],
        {"changes_requested": {"group_name": "Authors"}},
        None,
    ),
    ("group.deleted", [set_in("group", GROUP, deleted_at=AT)], {}, None),
    (
        "role.created",
        [made("role", **ROLE)],
        {
            "role_name": "writer",
            "permissions": ["a", "b"],
            "resource_type": "project",
            "resource_id": "proj_1",
        },
        IN_ONE,
    ),
    (
        "role.updated",
        [set_in("role", ROLE, permissions=["c", "b"], metadata='{"team": "x"}', name="author")],
        {
            "changes_requested": {
                "role_name": "author",
                "permissions_added": ["c"],
                "permissions_removed": ["a"],
                "metadata": {"team": "x"},
            }
        },
        IN_ONE,
    ),
    (
        "role.updated",
        [set_in("role", ROLE, permissions=["a", "b", "c"])],
        {"changes_requested": {"permissions_added": ["c"]}},
        IN_ONE,
    ),
    ("role.deleted", [set_in("role", ROLE, deleted_at=AT)], {}, IN_ONE),
    (
        "role.assignment.created",
        [made("role_assignment", **ASSIGNED)],
        ASSIGNED_PAYLOAD,
        IN_ONE,
    ),
    (
        "role.assignment.deleted",
        [gone("role_assignment", **ASSIGNED)],
        ASSIGNED_PAYLOAD,
        IN_ONE,
    ),
    ("role.bound_to_resource", [made("role_binding", **BOUND)], BOUND_PAYLOAD, None),
    (
        "role.bound_to_resource",
        [set_in("role_binding", BOUND | {"enabled": False}, enabled=True)],
        BOUND_PAYLOAD,
        None,
    ),
    (
        "role.unbound_from_resource",
        [set_in("role_binding", BOUND, enabled=False)],
        BOUND_PAYLOAD | {"enabled": False},
        None,
    ),
    ("role.unbound_from_resource", [gone("role_binding", **BOUND)], BOUND_PAYLOAD, None),
]

OTHER_NAMES: list[tuple[str, list[Act], Row]] = [
    ("project.created", [made("project", id=5, title="Five")], {"id": "5"}),
    ("api_key.created", [made("api_key", id=1, project_id=5, scopes=[])], {"id": "1"}),
    ("api_key.deleted", [set_in("api_key", {"id": "k"}, revoked_at=AT)], {"id": "k"}),
    ("invite.accepted", [set_in("invite", {"id": "i"}, accepted_at=AT)], {"id": "i"}),
    ("user.added", [made("user", id="u", role="member")], {"id": "u"}),
    (
        "rate_limit.updated",
        [made("rate_limit", project_id="p", model="m", max_requests=1)],
        {"id": "rl-p-m", "changes_requested": {"max_requests_per_1_minute": 1}},
    ),
    ("login.failed", [made("login_attempt", id=1, outcome="failed", error_code=7)], {}),
    ("group.created", [made("group", id="g", group_name="x")], {"data": {"group_name": "x"}}),
    ("role.created", [made("role", id="r", role_name="x")], {"role_name": "x"}),
    (
        "checkpoint.permission.created",
        [made("fine_tuning_checkpoint_permission", id="c", checkpoint="ft:m")],
        {"data": {"fine_tuned_model_checkpoint": "ft:m"}},
    ),
    ("workload_identity_provider.deleted", [gone("wif_provider", id="w")], {"id": "w"}),
    (
        "workload_identity_provider_mapping.deleted",
        [gone("wif_mapping", id="w", project_id=5)],
        {"project_id": "5"},
    ),
    ("role.bound_to_resource", [made("role_resource_binding", id="b")], {"id": "b"}),
]
"""What is named or typed otherwise in a schema: an event, and some members of its payload."""

DELETED_INVITE = INVITE | {"deleted_at": AT}
NO_EVENTS: list[tuple[str, list[Act]]] = [
    ("an invite expires", [set_in("invite", INVITE, status="expired")]),
    ("an expired invite is purged", [gone("invite", **INVITE | {"status": "expired"})]),
    ("an accepted invite is purged", [gone("invite", **INVITE | {"status": "accepted"})]),
    ("a deleted invite is purged", [gone("invite", **DELETED_INVITE)]),
    ("a deleted invite is restored", [set_in("invite", DELETED_INVITE, deleted_at=None)]),
    ("a deleted key is purged", [gone("api_key", **KEY | {"deleted_at": AT})]),
    ("a revoked key is deleted", [set_in("api_key", KEY | {"revoked_at": AT}, deleted_at=AT)]),
    ("a key gets another name", [set_in("api_key", KEY, name="b")]),
    ("an organization pays elsewhere", [set_in("organization", ORG, billing_email="b@x.org")]),
    ("a column is added, true", [set_in("organization", {"id": "o"}, scim_enabled=True)]),
    ("a project's name, not its title", [set_in("project", PROJECT, name="uno")]),
    (
        "a project is taken out of the archive",
        [set_in("project", PROJECT | {"status": "archived"}, status="active")],
    ),
    (
        "an archived project gets its time later",
        [set_in("project", PROJECT | {"status": "archived"}, archived_at=AT)],
    ),
    ("a session is used", [set_in("session", SESSION, last_seen_at=AT)]),
    ("a session expires and is purged", [gone("session", **SESSION)]),
    ("permissions in another order", [set_in("role", ROLE, permissions=["b", "a"])]),
    ("a disabled binding is removed", [gone("role_binding", **BOUND | {"enabled": False})]),
    ("a logout that went well", [made("logout_attempt", id=1, succeeded=True)]),
]
