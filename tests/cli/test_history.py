"""`cdc-archive history`, as a person or a script runs it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from support.build import message
from support.captures import FOLDER
from support.row_changes import in_transaction, key_change, row_change
from support.row_histories import history_of, numbered
from support.strategies import json_values, rows

from cdc_archive.archive.reader.window import Window
from cdc_archive.cli import history_json, history_markdown, history_text, main
from cdc_archive.cli.output import json_text
from cdc_archive.source.message import Message

Run = Callable[..., tuple[int, str, str]]
MOVED = 1_795_431_962_831_083
"""When proj_3 became proj_3_moved: 2026-11-23T11:06:02.831083Z."""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def runs(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main.run([*arguments])
        told = capsys.readouterr()
        return code, told.out, told.err

    return runs


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, named by the environment."""
    folder = tmp_path / "archive"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CDC_ARCHIVE_CONFIG", raising=False)
    monkeypatch.setenv("CDC_ARCHIVE_WORKER__LOG_LEVEL", "error")
    monkeypatch.setenv("CDC_ARCHIVE_STORE__URL", str(folder))
    return folder


@pytest.fixture
def archive(store: Path) -> None:
    """An archive of a capture."""
    assert main.run(["import", str(FOLDER / "pg_jp.jsonl.gz")]) == 0


def imported(log: Iterable[Message], folder: Path) -> None:
    """An archive of hand-made messages."""
    dump = folder.parent / "dump.jsonl"
    with dump.open("w") as out:
        for one in numbered(log):
            line: dict[str, Any] = one._asdict() | {"timestamp_type": "CreateTime"}
            line["key"], line["value"] = coded(one.key), coded(one.value)
            line["headers"] = [[name, coded(value)] for name, value in one.headers]
            out.write(json.dumps(line) + "\n")
    assert main.run(["import", str(dump)]) == 0


def coded(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize(
    ("table", "keys", "columns"),
    [
        ("project", [["proj_3"], ['{"id":"proj_3_moved"}']], {"id"}),
        ("app.user", [["user_0004"], ["id=user_9999"]], {"id"}),
        (
            "lab.app.rate_limit",
            [
                ["project_id=proj_2", "model=model-a"],
                ['{"model":"model-a2","project_id":"proj_2"}'],
            ],
            {"model"},
        ),
    ],
)
def test_a_row_is_found_by_its_old_and_by_its_new_key(
    run: Run, table: str, keys: list[list[str]], columns: set[str]
) -> None:
    """The same versions: a state of the snapshot, and the change of its key."""
    found = []
    for key in keys:
        options = [part for one in key for part in ("--key", one)]
        code, out, _ = run("history", table, *options, "--format", "json")
        assert code == 0
        found.append(json.loads(out))
    assert found[0]["versions"] == found[1]["versions"]
    snapshot, moved = found[0]["versions"]
    assert (snapshot["op"], moved["op"]) == ("snapshot", "key_change")
    assert {one["column"] for one in moved["differences"]} == columns
    assert all(one["old_proof"] == "exact" for one in moved["differences"])
    assert moved["departure"]["offset"] == moved["provenance"]["offset"] - 2
    assert moved["transaction"] == moved["transaction"].strip() != ""


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize("key", ["proj_3", "id=proj_3_moved"])
def test_cat_follows_a_row_by_each_of_its_keys(run: Run, key: str) -> None:
    """All its messages, tombstones too; those of its topics only that bear its keys."""
    out = run("cat", "--topic", "*.project", "--follow-key", key)[1]
    assert [json.loads(line)["op"] for line in out.splitlines()] == ["r", "d", "tombstone", "c"]
    assert run("cat", "--follow-key", "1", "--follow-key", "2")[0] == 2


@pytest.mark.usefixtures("archive")
def test_each_version_has_its_time_transaction_actor_and_provenance(run: Run) -> None:
    """An accepted invite, under REPLICA IDENTITY DEFAULT."""
    _, out, _ = run("history", "invite", "--key", "1", "--format", "json")
    document = json.loads(out)
    assert document.keys() == {"row", "versions", "losses"}
    assert document["losses"]["complete"] is True
    version = document["versions"][1]
    assert version["time"] == "2026-11-23T11:06:02.826486Z"
    assert version["actor"]["session"]["user"]["id"] == "user_0002"
    assert version["actor_status"] == "exact"
    status = next(one for one in version["differences"] if one["column"] == "status")
    assert (status["old"], status["new"], status["old_proof"]) == (
        "pending",
        "accepted",
        "reconstructed",
    )
    assert status["old_from"]["offset"] == 0
    assert version["provenance"].keys() == {
        "topic",
        "partition",
        "offset",
        "incarnation",
        "lsn",
        "file",
        "commit",
    }
    assert [one["op"] for one in document["versions"]] == ["snapshot", "update", "snapshot"]


@pytest.mark.usefixtures("archive")
def test_an_actor_column_that_a_change_did_not_touch_is_not_its_actor(run: Run) -> None:
    """The third version of an organization changes its policy only."""
    key = "00000000-0000-4000-8000-000000000001"
    _, out, _ = run("history", "organization", "--key", key, "--format", "json")
    last = json.loads(out)["versions"][2]
    assert (last["actor"], last["actor_status"]) == (None, "stale")
    text = run("history", "organization", "--key", key)[1]
    assert "no actor (stale: updated_by was not touched by this change)" in text


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize("form", ["text", "markdown"])
def test_where_no_actor_was_found_is_told_once(run: Run, form: str) -> None:
    """Not with each version."""
    _, out, _ = run("history", "invite", "--key", "5", "--format", form)
    assert out.count("no actor (missing)") == 3
    assert out.count("no actor was found in: column deleted_by, updated_by; message") == 1
    assert "no column" not in out


@pytest.mark.usefixtures("archive")
def test_the_invented_values_of_a_delete_do_not_show(run: Run) -> None:
    """Debezium's `before` has status "pending" and email "" for every deleted invite."""
    _, out, _ = run("history", "invite", "--key", "2", "--format", "json")
    gone = json.loads(out)["versions"][-1]
    old = {one["column"]: (one["old"], one["old_proof"]) for one in gone["differences"]}
    assert gone["op"] == "delete"
    assert old["id"] == (2, "exact")
    assert old["email"] == ("i2@example.com", "reconstructed")


@pytest.mark.usefixtures("archive")
def test_truncate_ends_a_row(run: Run) -> None:
    """Its message has no key."""
    _, out, _ = run("history", "service_account", "--key", "svc_1", "--format", "json")
    assert json.loads(out)["versions"][-1]["op"] == "truncate"
    assert json.loads(out)["row"]["lives"][0]["ended_by"] == "truncate"


@pytest.mark.usefixtures("store")
def test_flattened_rows_have_the_same_history(run: Run) -> None:
    """Operations and changed columns, as those with envelopes and schemas have them."""
    told = []
    for name, table in (("pg_js", "lab.app.invite"), ("pg_fl", "app.invite")):
        assert main.run(["import", str(FOLDER / f"{name}.jsonl.gz")]) == 0
        _, out, _ = run("history", table, "--key", "1", "--format", "json")
        versions = json.loads(out)["versions"]
        told.append([(v["op"], {d["column"] for d in v["differences"]}) for v in versions])
    assert told[0] == told[1]


MAPPING = """
name = "beside"
[actor]
template = "@"
[[actor.source]]
message = ["audit.actor"]
[[rule]]
type = "row.created"
tables = ["t"]
on = "create"
id = "row.id"
payload = "{id: id}"
"""


def test_an_actor_told_by_a_message_of_the_transaction_is_found(
    run: Run, store: Path, tmp_path: Path
) -> None:
    """It stands on another topic; the version says where."""
    actor = {"type": "session", "session": {"user": {"id": "user_1"}}}
    text = base64.b64encode(json.dumps(actor).encode()).decode()
    source = {"name": "pg", "ts_ms": 1_771_516_800_000, "db": "lab", "lsn": 1, "txId": 1}
    told = {
        "op": "m",
        "source": source | {"sequence": '["0","1"]', "schema": "", "table": ""},
        "transaction": {"id": "1:1", "total_order": 1},
        "message": {"prefix": "audit.actor", "content": text},
    }
    log = [
        message(json.dumps(told).encode(), topic="pg.message", key=b'{"prefix":"audit.actor"}'),
        in_transaction(row_change(0, "c", None, {"id": 1}), 1, 2),
        in_transaction(row_change(1, "u", None, {"id": 1, "a": 1}), 2, 1),
    ]
    imported(log, store)
    rules = tmp_path / "mapping.toml"
    rules.write_text(MAPPING)
    options = ("--mapping", str(rules))
    _, out, _ = run("history", "t", "--key", "1", "--format", "json", *options)
    first, second = json.loads(out)["versions"]
    assert (first["actor"], first["actor_status"]) == (actor, "exact")
    assert first["actor_from"] == {
        "topic": "pg.message",
        "partition": 0,
        "offset": 0,
        "incarnation": 0,
    }
    assert (second["actor"], second["actor_status"]) == (None, "missing")
    text = run("history", "t", "--key", "1", *options)[1]
    assert "by session user_1 (exact: message audit.actor, pg.message[0] offset 0)" in text


@pytest.mark.usefixtures("archive")
def test_a_window_shows_its_versions_with_what_they_changed(run: Run) -> None:
    """The version before lies before the window, and is known all the same."""
    window = ("--from", "2026-11-23T11:06:02", "--to", "2026-11-23T11:06:03")
    _, out, _ = run("history", "invite", "--key", "1", *window, "--format", "json")
    document = json.loads(out)
    (only,) = document["versions"]
    assert only["before"] == "reconstructed"
    life = document["row"]["lives"][0]
    assert (life["before_window"], life["after_window"], life["versions"]) == (1, 1, 3)
    code, out, error = run("history", "invite", "--key", "1", "--from", "2030-01-01")
    assert (code, out) == (17, "")
    assert "no version in the window: 3 versions before the window" in error


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize(("microseconds", "key"), [(-1, "proj_3"), (0, "proj_3_moved")])
def test_as_of_shows_the_row_with_the_changes_of_that_very_moment(
    run: Run, microseconds: int, key: str
) -> None:
    """To the microsecond, by any of its keys; what proves it goes to stderr."""
    at = f"2026-11-23T11:06:02.{MOVED % 1_000_000 + microseconds}Z"
    code, out, error = run("history", "project", "--key", "proj_3_moved", "--as-of", at)
    assert code == 0
    row = json.loads(out)
    assert (row["id"], row["title"]) == (key, "Project 3")
    assert "jp.app.project[0] offset" in error
    assert ("under another key" in error) == (key == "proj_3")


@pytest.mark.usefixtures("archive")
def test_as_of_says_which_message_showed_an_untouched_value(run: Run) -> None:
    """Out-of-line values come from the version before."""
    at = "2026-11-23T11:06:03Z"
    _, out, error = run("history", "toast_kinds", "--key", "1", "--as-of", at)
    assert "__debezium_unavailable_value" not in out
    assert json.loads(out)["n"] == 2
    assert "as shown by offset 0, untouched since: b, da, ia, j, t, ta" in error


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize(
    ("key", "at", "says"),
    [
        (
            "2",
            "2026-11-23T11:06:02.826842Z",
            "did not exist at .*: deleted 2026-11-23T11:06:02.826",
        ),
        ("6", "2026-11-23T11:06:02Z", "did not exist at .*: created 2026-11-23T11:06:02.825855Z"),
        ("1", "2026-11-23T11:06:01Z", "does not know the row at .*: first seen by a snapshot"),
    ],
)
def test_as_of_tells_why_there_is_no_row(run: Run, key: str, at: str, says: str) -> None:
    """Deleted before, created later, or not known."""
    code, out, error = run("history", "invite", "--key", key, "--as-of", at)
    assert (code, out) == (17, "")
    assert re.search(says, error)


def test_as_of_names_the_keys_if_two_rows_are_meant(run: Run, store: Path) -> None:
    """One has left the key, the other has not come to it yet."""
    log = [
        row_change(0, "c", None, {"id": 1, "a": "x"}),
        *key_change(1000, 1, 2, {"id": 2, "a": "x"}),
        row_change(2000, "c", None, {"id": 3, "a": "y"}, key=3),
        *key_change(4000, 3, 1, {"id": 1, "a": "y"}),
    ]
    imported(log, store)
    at = "2026-02-19T16:00:03Z"
    code, _, error = run("history", "t", "--key", "1", "--as-of", at)
    assert code == 17
    assert 'stood under {"id":2} and {"id":3}' in error
    assert json.loads(run("history", "t", "--key", "3", "--as-of", at)[1]) == {"id": 3, "a": "y"}


@pytest.mark.parametrize("topic", ["pg.app.t", "pg2.app.t"])
def test_as_of_takes_what_was_seen_last_under_a_key(run: Run, store: Path, topic: str) -> None:
    """A row whose end was not seen is gone once another stands there, also for a new connector."""
    log = [row_change(0, "c", None, {"id": 1, "a": "x"})]
    for one in (
        row_change(1000, "c", None, {"id": 1, "a": "y"}),
        row_change(2000, "d", {"id": 1}, None),
    ):
        assert one.value is not None
        name = f'"name": "{topic.partition(".")[0]}"'.encode()
        value = one.value.replace(b'"name": "pg"', name)
        log.append(one._replace(topic=topic, value=value))
    imported(log, store)
    for second, row in (("00", "x"), ("01", "y")):
        at = f"2026-02-19T16:00:{second}Z"
        assert json.loads(run("history", "t", "--key", "1", "--as-of", at)[1])["a"] == row
    code, _, error = run("history", "t", "--key", "1", "--as-of", "2026-02-19T16:00:02Z")
    assert code == 17
    assert "deleted 2026-02-19T16:00:02Z" in error


def test_as_of_says_that_a_row_is_there_but_not_shown(run: Run, store: Path) -> None:
    """The archive has the delete half of a change of its key only."""
    log = [row_change(0, "c", None, {"id": 1}), *key_change(1, 1, 2, None)[:2]]
    imported(log, store)
    code, _, error = run("history", "t", "--key", "1", "--as-of", "2026-03-01")
    assert code == 17
    assert 'existed at 2026-03-01T00:00:00Z under {"id":2}, but the archive' in error


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["event_log", "--key", "1"], 17, "no primary key: its 7 changes bear no key"),
        (["event_log", "--key", "1"], 17, "cat --table lab.app.event_log"),
        (["projct", "--key", "1"], 17, "Did you mean lab.app.project"),
        (["message", "--key", "1"], 17, "holds no row changes of a table message"),
        (["project", "--key", "nobody"], 17, "The key of this table is: id"),
        (["project"], 2, "Missing option '--key'"),
        (["project", "--key", "1", "--key", "2"], 2, "must each be column=value"),
        (["project", "--key", "1", "--from", "yesterday"], 2, "is no time such as"),
        (["project", "--key", "1", "--as-of", "2026-01-01", "--to", "2027-01-01"], 2, "one moment"),
        (["project", "--key", "1", "--as-of", "2026-01-01", "--format", "text"], 2, "JSON only"),
        (["project", "--key", "1", "--full", "--format", "json"], 2, "never cut"),
        (["project", "--key", "proj_3", "--mapping", "nowhere.toml"], 4, "cannot be read"),
    ],
)
def test_what_cannot_be_told_is_said_with_its_exit_code(
    run: Run, arguments: list[str], code: int, says: str
) -> None:
    """One message on stderr, nothing on stdout."""
    done, out, error = run("history", *arguments)
    assert (done, out) == (code, "")
    assert says in error


def test_a_name_that_fits_several_tables_lists_them(run: Run, store: Path) -> None:
    """And is refused."""
    log = []
    for offset, schema in enumerate(["app", "old"]):
        one = row_change(offset, "c", None, {"id": 1})
        assert one.value is not None
        log.append(one._replace(value=one.value.replace(b'"app"', f'"{schema}"'.encode())))
    imported(log, store)
    code, out, error = run("history", "t", "--key", "1")
    assert (code, out) == (2, "")
    assert "lab.app.t" in error
    assert "lab.old.t" in error
    assert run("history", "old.t", "--key", "1")[0] == 0


def test_what_is_lost_or_in_quarantine_is_told(run: Run, store: Path) -> None:
    """Gaps of the table's topics, messages in quarantine, and those that bear the row's key."""
    poison = row_change(1, "u", None, {"id": 1})._replace(value=b"\xff")
    log = [row_change(0, "c", None, {"id": 1}), poison, poison._replace(key=b'{"id":2}')]
    imported(log, store)
    accept = ["gap", "accept", "pg.app.t", "0", "--from", "3", "--to", "9", "--unchecked"]
    assert main.run([*accept, "--reason", "retention", "--by", "ann"]) == 0
    told = run("history", "t", "--key", "1")[1]
    assert "pg.app.t[0]: offsets [3, 9) were lost: retention (deleted; accepted by ann)" in told
    assert "2 messages in quarantine, offsets 1 to 2; 1 with a key of this row" in told
    losses = json.loads(run("history", "t", "--key", "1", "--format", "json")[1])["losses"]
    assert losses["complete"] is False
    assert losses["quarantined"][0]["of_this_row"] == 1
    assert "were lost" in run("history", "t", "--key", "1", "--as-of", "2026-03-01")[2]


@pytest.mark.usefixtures("archive")
def test_every_member_of_the_json_stands_in_the_page(run: Run) -> None:
    """Its members are a contract."""
    page = (FOLDER.parents[1] / "docs/history.md").read_text()
    document = json.loads(run("history", "project", "--key", "proj_3", "--format", "json")[1])
    version = document["versions"][1]
    named = [*document, *document["row"], *document["row"]["lives"][0], *document["losses"]]
    named += [*version, *version["differences"][0], *version["provenance"]]
    for name in set(named):
        assert f"`{name}`" in page, name


UNSEEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
HOSTILE = '|`a`\\| <b>&amp;</b> *x* _y_ [l](u) #1 $m$ ~~s~~ :smile: @org \n\x1b[31m | "q" \u202e'


def test_numbers_are_exact_and_values_whole_in_json(run: Run, store: Path) -> None:
    """No rounding, no cutting."""
    value = "9" * 40 + ".10"
    change = row_change(0, "c", None, {"id": 1, "n": "N", "long": "x" * 5000})
    assert change.value is not None
    imported([change._replace(value=change.value.replace(b'"N"', value.encode()))], store)
    out = run("history", "t", "--key", "1", "--format", "json")[1]
    assert f'"n":{value}' in out
    assert json.loads(out)["versions"][0]["row"]["long"] == "x" * 5000
    assert f'"n":{value}' in run("history", "t", "--key", "1", "--as-of", "2026-03-01")[1]


def test_text_is_cut_where_values_differ_and_drives_no_terminal(run: Run, store: Path) -> None:
    """Unless --full is given."""
    log = [
        row_change(0, "c", None, {"id": 1, "t": "x" * 5000 + "a", HOSTILE: HOSTILE}),
        row_change(1, "u", None, {"id": 1, "t": "x" * 5000 + "b", HOSTILE: "\ud800"}),
    ]
    imported(log, store)
    out = run("history", "t", "--key", "1")[1]
    assert 'xa" (5,003 characters, --full shows all)' in out
    assert 'xb" (5,003 characters, --full shows all)' in out
    full = run("history", "t", "--key", "1", "--full")[1]
    assert "x" * 5000 + "b" in full
    for told in (out, full):
        assert not UNSEEN.search(told)
        assert max(map(len, told.splitlines())) < 12_000


def test_a_markdown_report_shows_values_as_they_are(run: Run, store: Path) -> None:
    """Read by a Markdown parser: nothing in a value is obeyed."""
    log = [
        row_change(0, "c", None, {"id": 1, "a": "x"}),
        row_change(1, "u", None, {"id": 1, "a": HOSTILE}),
    ]
    imported(log, store)
    out = run("history", "t", "--key", "1", "--format", "markdown")[1]
    page = MarkdownIt("commonmark").enable("table").render(out)
    cells = re.findall(r"<td>(.*?)</td>", page)
    shown = json.dumps(HOSTILE, ensure_ascii=False).replace("\x1b", "\\u001b")
    expected = shown.replace("\u202e", "\\u202e")
    assert html(expected) in [re.sub("</?code>", "", cell) for cell in cells]
    assert not re.search("<(b|em|strong|a|s)>", page)
    for fact in ("archive", "key", "window", "proven", "losses"):
        assert f"<td>{fact}</td>" in page
    assert "Nothing is known to be missing" in page


def html(text: str) -> str:
    for char, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(char, entity)
    return text


def test_escaped_markdown_is_one_line_of_plain_text() -> None:
    """In a table cell and out of it."""
    for char in "|`*_[]<>&~#$@\\:":
        cell = history_markdown.escaped(f"{char}a{char} {char}")
        page = MarkdownIt("commonmark").enable("table").render(f"| x |\n|---|\n| {cell} |\n")
        assert f"<td>{html(f'{char}a{char} {char}')}</td>" in page


def test_redeliveries_are_dropped_and_counted(run: Run, store: Path) -> None:
    """pg_dup: a kill -9 of Connect in a transaction of 1500 rows."""
    assert main.run(["import", str(FOLDER / "pg_dup.jsonl.gz")]) == 0
    topics = [json.loads(one) for one in run("ls", "--json")[1].splitlines()]
    table = max((one for one in topics if "u:" in one["counts"]), key=lambda one: one["records"])
    _, out, _ = run("cat", "--table", table["table"], "--limit", "3000")
    keys = [json.dumps(json.loads(line)["key"]) for line in out.splitlines()]
    twice = max(set(keys), key=keys.count)
    _, out, _ = run("history", table["table"], "--key", twice, "--format", "json")
    document = json.loads(out)
    assert document["losses"]["redeliveries"] > 0
    offsets = [one["provenance"]["offset"] for one in document["versions"]]
    assert len(offsets) + document["losses"]["redeliveries"] == keys.count(twice)


@given(st.lists(rows, min_size=1, max_size=4), st.none() | json_values)
def test_whatever_a_row_holds_every_form_shows_it(images: list[Any], key: Any) -> None:
    """NaN, huge numbers, lone surrogates, odd names: no crash, and JSON that is JSON."""
    log = [row_change(at, "u", None, image, key=key) for at, image in enumerate(images)]
    log.append(row_change(len(log), "d", images[-1], None, key=key))
    history = history_of(log, json.dumps({"id": key}))
    document = history_json.document(history, Window())
    assert json.loads(json_text(document))["row"]["table"] == "lab.app.t"
    for full in (True, False):
        shown = "".join(line.plain for line in history_text.lines(history, Window(), full=full))
        assert shown.isprintable()
    assert all(line.isprintable() for line in history_markdown.lines(history, Window()))


def test_hostile_names_and_keys_drive_no_terminal(run: Run, store: Path) -> None:
    """Of tables, columns, keys, and of what is asked for."""
    one = row_change(0, "c", None, {"id": HOSTILE}, key=HOSTILE)
    assert one.value is not None
    value = json.loads(one.value)
    value["source"]["table"] = HOSTILE
    imported([one._replace(value=json.dumps(value).encode())], store)
    for form in ("text", "json", "markdown"):
        code, out, _ = run("history", HOSTILE, "--key", HOSTILE, "--format", form)
        assert code == 0
        assert not UNSEEN.search(out)
    for arguments in ((HOSTILE, "--key", "\x1b[31m\udcff"), ("\x1b[31m\udcff", "--key", "1")):
        code, out, error = run("history", *arguments)
        assert (code, out) == (17, "")
        assert not UNSEEN.search(error)
