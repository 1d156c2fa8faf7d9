"""The mapping that worlds are replayed with: every step of every row is an event that tells it."""

from __future__ import annotations

from typing import Final

ROW_TABLES: Final = ("project", "invite", "api_key", "member", "certificate", "log")
CREATED_TOGETHER: Final = ("certificate", "api_key")

MAPPING: Final = """
name = "replay world"

[actor]
template = "@"
[[actor.source]]
columns = { create = ["created_by"], update = ["deleted_by", "updated_by"], delete = [] }
[[actor.source]]
message = ["audit.actor"]
[[actor.source]]
row = ["audit_context"]
value = "row.actor"
[[actor.source]]
header = ["x-actor"]

[lookup.projects]
tables = ["project"]
by = "id"

[[rule]]
type = "certificates.activated"
tables = ["certificate"]
on = "update"
changed = ["active"]
when = "row.active && !(before.active)"
group = "transaction"
item = "{id: row.id}"
payload = "{certificates: items}"

[[rule]]
type = "things.created"
tables = ["certificate", "api_key"]
on = "create"
group = "transaction"
item = "{table: table, id: row.id}"
payload = "{things: items}"
""" + "".join(
    f"""
[[rule]]
type = "row.{op}d"
tables = ["project", "invite", "api_key", "member", "certificate", "log"]
on = "{op}"
id = "table"
payload = "{{id: id, before: before, after: after, changed: keys(changed)}}"
project = "{{id: row.project_id, name: lookup('projects', row.project_id).name}}"
"""
    for op in ("create", "update", "delete")
)
