"""`mapping check`, `explain` and `schema`, as a person or a script runs them."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from support.captures import FOLDER

from cdc_archive import schema_files
from cdc_archive.audit.mapping_schema import schema_text
from cdc_archive.cli import main

FITS = """
name = "fits"
[actor]
template = "{type: type, session: session, api_key: api_key}"
[[actor.source]]
columns = { create = ["created_by"], update = ["updated_by"] }
[lookup.projects]
tables = ["project"]
by = "id"
[[rule]]
type = "key.created"
tables = ["api_key"]
on = "create"
id = "row.id"
[[rule]]
type = "key.used"
tables = ["api_key"]
on = "update"
id = "row.id"
changes = [{ field = "used", columns = ["used_at", "last_used_at"] }]
project = "{id: row.project_id, title: lookup('projects', row.project_id).title}"
"""
GROUPED = """
[[rule]]
type = "limits.set"
tables = ["rate_limit"]
on = "create"
group = "transaction"
item = "{project: row.project_id, model: row.model}"
payload = "{limits: items}"
"""
UNFIT = """
[[rule]]
type = "unfit.updated"
tables = ["api_key"]
on = "update"
id = "row.uuid || row.identifier"
changed = ["deleted"]
needs = ["nme"]
when = "row.name && before.gone"
payload = "{id: id, name: row.title || row.name}"
[[rule]]
type = "lost.created"
tables = ["api_keys"]
on = "create"
id = "row.id"
[[actor.source]]
row = ["audit_context"]
value = "row.actor"
[[types]]
tables = ["api_key"]
columns = { born = "date" }
"""


@pytest.fixture(autouse=True)
def _archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CDC_ARCHIVE_WORKER__LOG_LEVEL", "error")
    (tmp_path / "archive").mkdir()
    monkeypatch.setenv("CDC_ARCHIVE_STORE__URL", str(tmp_path / "archive"))


@pytest.fixture
def archive(capsys: pytest.CaptureFixture[str]) -> None:
    """An archive of a capture."""
    assert main.run(["import", str(FOLDER / "pg_jp.jsonl.gz")]) == 0
    capsys.readouterr()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Any:
    """Runs `mapping` with a mapping of this text as `m.toml`; gives code, stdout, stderr."""

    def run(text: str, *arguments: str) -> tuple[int, str, str]:
        (tmp_path / "m.toml").write_text(text)
        code = main.run(["mapping", *arguments])
        return code, *capsys.readouterr()

    return run


def checked(run: Any, text: str, *arguments: str) -> tuple[int, dict[str, Any]]:
    code, out, _ = run(text, "check", "m.toml", "--json", *arguments)
    return code, json.loads(out)


@pytest.mark.usefixtures("archive")
def test_a_mapping_that_fits_is_shown_with_what_it_matches(run: Any) -> None:
    """By rule: tables, changes of its operation, events; by source: who was found."""
    code, found = checked(run, FITS + GROUPED)
    assert code == 0
    _, updated, limits = found["rules"]
    assert updated["tables"] == ["lab.app.api_key"]
    assert (updated["changes"], updated["events"]) == (2, 1)
    assert updated["reasons"] == {"none of the columns used_at, last_used_at changed": 1}
    assert (limits["changes"], limits["parts"]) == (41, 41)
    assert found["changes"]["lab.app.api_key"] == {"create": 1, "update": 2}
    assert found["findings"] == []
    assert [one["where"] for one in found["notes"]] == ["rule 2 (key.used)"]
    (source,) = found["actor_sources"]
    assert (source["asked"], source["gave"]) == (43, 1)
    code, out, _ = run(FITS, "check", "m.toml")
    assert code == 0
    assert "key.used" in out
    assert "alternatives are there" in out


@pytest.mark.usefixtures("archive")
def test_what_a_mapping_names_and_the_archive_lacks_is_found(run: Any) -> None:
    """Tables, columns of keys and expressions, hints, sources; with a code of its own."""
    code, found = checked(run, FITS.replace('by = "id"', 'by = "uuid"') + UNFIT)
    assert code == 21
    told = {one["where"]: one["what"] for one in found["findings"]}
    assert told["rule 3 (unfit.updated)"] == (
        "no row of lab.app.api_key has deleted (changed), nme (needs; did you mean name?), "
        "identifier (id), uuid (id), gone (when)"
    )
    assert (
        told["rule 4 (lost.created)"]
        == "no table of the archive fits api_keys; did you mean api_key?"
    )
    assert told["actor.source 2"] == "no table of the archive fits audit_context"
    assert told["lookup.projects"] == "no row of lab.app.project has uuid"
    assert told["types 1"] == "no row of lab.app.api_key has born"
    code, out, err = run(FITS + UNFIT, "check", "m.toml")
    assert code == 21
    assert "finding: rule 4 (lost.created): no table of the archive fits api_keys; did you" in out
    assert "fits: 4 findings" in err


@pytest.mark.usefixtures("archive")
def test_a_source_that_was_asked_in_vain_is_found(run: Any) -> None:
    """One that was not asked, because another always decided, is a note."""
    text = FITS.replace("[lookup", '[[actor.source]]\nheader = ["x"]\n[lookup')
    code, found = checked(run, text)
    assert code == 21
    (finding,) = found["findings"]
    assert finding == {
        "where": "actor.source 2",
        "what": "was asked for 1 changes and named no actor",
    }


@pytest.mark.usefixtures("archive")
def test_a_window_counts_its_changes_only(run: Any) -> None:
    """What lies before it is read, so that columns and versions are known."""
    code, found = checked(run, FITS, "--from", "2030-01-01")
    assert code == 0
    assert found["rules"][0]["changes"] == 0
    assert [one["where"] for one in found["notes"]] == ["rule 2 (key.used)"]


def test_a_file_is_checked_by_itself_if_so_asked(run: Any) -> None:
    """Without an archive; its faults have their own code."""
    code, _, err = run(FITS, "check", "m.toml", "--no-archive")
    assert (code, "fits: 2 rules, no faults" in err) == (0, True)
    code, _, err = run(FITS + "wen = 1\n[loockup]", "check", "m.toml", "--no-archive")
    assert code == 4
    assert "rule 2 (key.used): wen is unknown; did you mean when?" in err
    assert "loockup is unknown; did you mean lookup?" in err
    assert run(FITS, "check", "m.toml")[0] == 14
    assert main.run(["mapping", "check", "--no-archive"]) == 0


def explained(run: Any, text: str, place: str, *arguments: str) -> dict[str, Any]:
    code, out, _ = run(text, "explain", "--mapping", "m.toml", "--json", "--offset", place)
    assert code == 0
    return json.loads(out)  # type: ignore[no-any-return]


@pytest.mark.usefixtures("archive")
def test_a_change_is_explained_with_its_event(run: Any) -> None:
    """The step, each rule of the table, each source, the event with its evidence."""
    found = explained(run, FITS, "jp.app.api_key:0:3")
    (step,) = found["steps"]
    assert step["changed"][1] == {"column": "name", "old": "k2", "new": "k3"}
    created, used = step["rules"]
    assert created["reason"] == "on is create, this is an update"
    assert (used["outcome"], used["type"]) == ("event", "key.used")
    assert used["event"]["project"] == {"id": "proj_tx", "title": "tx"}
    assert used["evidence"]["offset"] == 3
    (source,) = step["actor_sources"]
    assert (source["status"], source["place"]) == ("missing", "column updated_by")
    code, out, _ = run(FITS, "explain", "--mapping", "m.toml", "--offset", "jp.app.api_key:0:3")
    assert code == 0
    assert 'changed name: "k2" -> "k3"' in out
    assert "rule 2 key.used: event: it fires" in out
    assert "actor source 1, column updated_by: missing" in out
    assert 'event {"id":"audit_log-' in out


@pytest.mark.usefixtures("archive")
def test_a_change_that_is_no_event_is_explained_too(run: Any) -> None:
    """Why not, in words; a part of a grouped event shows its item."""
    (step,) = explained(run, FITS, "jp.app.api_key:0:2")["steps"]
    assert step["rules"][1]["reason"] == "none of the columns used_at, last_used_at changed"
    (step,) = explained(run, FITS + GROUPED, "jp.app.rate_limit:0:8")["steps"]
    assert (step["rules"][0]["outcome"], step["rules"][0]["item"]) == (
        "part",
        {"project": "proj_bulk", "model": "m3"},
    )
    code, out, _ = run(
        FITS + GROUPED, "explain", "--mapping", "m.toml", "--offset", "jp.app.rate_limit:0:8"
    )
    assert code == 0
    assert "item of the limits.set of its transaction" in out


@pytest.mark.usefixtures("archive")
def test_the_version_before_is_that_of_the_archive(run: Any) -> None:
    """Under REPLICA IDENTITY DEFAULT: the table is read from its beginning."""
    found = explained(run, FITS, "jp.app.invite:0:6")
    (step,) = found["steps"]
    assert step["before"] == "reconstructed"
    assert step["before_from"]["topic"] == "jp.app.invite"
    assert {one["column"] for one in step["changed"]} >= {"status"}


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("jp.app.invite:0:1", "a snapshot row is a state, not a change"),
        ("jp.message:0:2", "a record of op m tells of no row"),
        ("jp.app.project:0:7", "the first half of a change of key: its create follows"),
    ],
)
def test_a_record_that_makes_no_step_says_why(run: Any, place: str, why: str) -> None:
    """And shows no rule."""
    found = explained(run, FITS, place)
    assert (found["why_no_step"], found["steps"]) == (why, [])
    _, out, _ = run(FITS, "explain", "--mapping", "m.toml", "--offset", place)
    assert f"no step of a row: {why}" in out


@pytest.mark.usefixtures("archive")
def test_a_logical_message_shows_what_it_tells(run: Any) -> None:
    """As which actor source."""
    text = FITS.replace(
        "[lookup.projects]", '[[actor.source]]\nmessage = ["actor"]\n[lookup.projects]'
    )
    (told,) = explained(run, text, "jp.message:0:2")["testimony"]
    assert told["actor_source"] == 2
    assert told["value"]["session"]["user"]["id"] == "user_0005"


@pytest.mark.usefixtures("archive")
def test_what_stands_beside_a_change_is_looked_at(run: Any) -> None:
    """The actor that another message of the transaction names, and where; `check` counts it."""
    text = FITS.replace("[lookup", '[[actor.source]]\nmessage = ["actor"]\n[lookup')
    text = text.replace('"api_key"', '"service_account"').replace("last_used_at", "role")
    text = text.replace("used_at", "name")
    (step,) = explained(run, text, "jp.app.service_account:0:2")["steps"]
    column, message = step["actor_sources"]
    assert (column["status"], message["status"]) == ("missing", "exact")
    assert message["actor"]["session"]["user"]["id"] == "user_0005"
    assert message["from"] == {"topic": "jp.message", "partition": 0, "offset": 2}
    _, out, _ = run(
        text, "explain", "--mapping", "m.toml", "--offset", "jp.app.service_account:0:2"
    )
    assert "(from jp.message[0] offset 2)" in out
    _, found = checked(run, text)
    assert found["actor_sources"][1]["gave"] == 1


@pytest.mark.usefixtures("archive")
def test_a_place_is_told_in_one_option_or_three(run: Any) -> None:
    """What is no place, and what is not in the archive, is refused."""
    where = ["--topic", "jp.app.api_key", "--partition", "0", "--offset", "2"]
    code, out, _ = run(FITS, "explain", "--mapping", "m.toml", *where)
    assert (code, "offset 2: op u" in out) == (0, True)
    assert run(FITS, "explain", "--offset", "2")[0] == 2
    assert run(FITS, "explain", "--offset", "a:b:2")[0] == 2
    code, _, err = run(FITS, "explain", "--offset", "jp.app.api_key:0:99")
    assert (code, "offset 99 is not in the archive" in err) == (17, True)


def test_a_redelivery_is_told_as_one(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """It makes no second event."""
    assert main.run(["import", str(FOLDER / "pg_dup.jsonl.gz")]) == 0
    capsys.readouterr()
    seen: set[str] = set()
    for row in _rows(capsys, "dup.app.rate_limit"):
        change = json.dumps([row["source"], row["op"], row["after"]])
        if change in seen:
            break
        seen.add(change)
    found = explained(run, FITS, f"dup.app.rate_limit:0:{row['offset']}")
    assert found["why_no_step"].endswith("this is a redelivery")


def _rows(capsys: pytest.CaptureFixture[str], topic: str) -> list[dict[str, Any]]:
    assert main.run(["cat", "--topic", topic]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_schema_of_mappings_is_that_of_the_program(run: Any) -> None:
    """The file, the command and the model say the same."""
    _, out, _ = run("", "schema")
    assert out == schema_text() == schema_files.read("mapping.schema.json").decode()


def test_the_schema_takes_good_mappings_and_refuses_misspelt_keys() -> None:
    """The one that ships; each section."""
    schema = json.loads(schema_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    shipped = tomllib.loads(schema_files.read("mappings/openai.toml").decode())
    for good in (shipped, tomllib.loads(FITS + GROUPED + UNFIT)):
        jsonschema.validate(good, schema)
    for bad in (
        FITS.replace("template", "tempalte"),
        FITS.replace("columns =", "colums =", 1),
        FITS.replace('by = "id"', 'By = "id"'),
        FITS.replace("on =", "On ="),
        FITS.replace('id = "row.id"', ""),
        FITS + GROUPED.replace("item =", "items ="),
        FITS.replace("columns = { create", 'header = ["x"]\ncolumns = { create'),
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(tomllib.loads(bad), schema)
