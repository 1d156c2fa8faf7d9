"""The page in a bundle, run by Node, and the commands in VERIFY.txt, run by a shell."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from support.evidence_bundle import bundle
from support.sealed import key
from support.tamper_world import world

from cdc_archive.integrity.evidence import BY_HAND, PAGE

pytestmark = pytest.mark.e2e
OLD, NEW = (hashlib.sha256(one.public_key).hexdigest() for one in (world().old, world().new))
RUN = """
const fs = require("fs"), [page, zip, key] = process.argv.slice(1);
(0, eval)(fs.readFileSync(page, "utf8").split('<script id="core">')[1].split("</script>")[0]);
evidence.unzip(new Uint8Array(fs.readFileSync(zip)))
  .then((files) => evidence.check(files, key))
  .then((lines) => console.log(JSON.stringify([evidence.verdict(lines), lines])));
"""
HOLDS = "This bundle holds."
UNPROVEN = "Nothing contradicts this bundle, but not all is proven."
FALLS = "This bundle does NOT hold."


def checked(path: Path, fingerprint: str) -> tuple[str, list[str]]:
    """The page's verdict, and what it says of what is wrong or unproven."""
    run = subprocess.run(
        ["node", "-e", RUN, str(PAGE), str(path), fingerprint],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    verdict, lines = json.loads(run.stdout)
    return verdict, [line["what"] for line in lines if line["state"] in ("bad", "unknown")]


def rewritten(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in files.items():
            out.writestr(name, data)
    return path


def test_a_sound_bundle_holds_by_the_key_that_is_trusted(tmp_path: Path) -> None:
    """The first key, the one that took over, in short or in full; what no digest holds is told."""
    bundle(tmp_path / "e.zip")
    for fingerprint in (OLD[:16], NEW, NEW[:16].upper()):
        verdict, said = checked(tmp_path / "e.zip", fingerprint)
        assert (verdict, said) == (UNPROVEN, ["2 commits are in no digest of the bundle"])


def test_without_a_fingerprint_who_signed_is_not_proven(tmp_path: Path) -> None:
    bundle(tmp_path / "e.zip")
    verdict, said = checked(tmp_path / "e.zip", "")
    assert verdict == UNPROVEN
    assert "who signed is not proven" in said[0]


def test_another_key_is_refused(tmp_path: Path) -> None:
    bundle(tmp_path / "e.zip")
    verdict, said = checked(tmp_path / "e.zip", "0" * 16)
    assert verdict == FALLS
    assert "no key in the bundle has the fingerprint" in said[0]


def test_a_stranger_who_signs_the_manifest_is_found(tmp_path: Path) -> None:
    bundle(tmp_path / "e.zip", signer=key())
    verdict, said = checked(tmp_path / "e.zip", OLD)
    assert verdict == FALLS
    assert "the signature of the manifest does not hold" in said


def resealed(files: dict[str, bytes], name: str, data: bytes) -> None:
    """Let the manifest name other bytes, as one who has no key can."""
    manifest = json.loads(files["manifest.json"])
    for one in manifest["objects"]:
        if one["name"] == name:
            one |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    files[name] = data
    files["manifest.json"] = json.dumps(manifest, separators=(",", ":")).encode()


DAMAGES: dict[str, tuple[Callable[[dict[str, bytes]], object], str]] = {
    "a byte of a commit": (
        lambda f: f.update({(n := name(f, "commits")): f[n].replace(b"test", b"tesu")}),
        "its bytes are not those that the manifest names",
    ),
    "a file is gone": (lambda f: f.pop(name(f, "changes")), "but it is not there"),
    "a file is added": (lambda f: f.update({"archive/x": b""}), "the manifest does not name it"),
    "a commit and the manifest": (
        lambda f: resealed(f, n := name(f, "commits"), f[n].replace(b"test", b"tesu")),
        "its bytes are not those that a digest holds",
    ),
    "a data file and the manifest": (
        lambda f: resealed(f, n := name(f, "changes"), f[n][:-1]),
        "its bytes are not those that its commit names",
    ),
    "a digest and the manifest": (
        lambda f: resealed(f, n := name(f, "digests"), f[n].replace(b"test", b"tesu")),
        "its signature does not hold",
    ),
    "no manifest": (lambda f: f.pop("manifest.json"), "this is no evidence bundle"),
    "a manifest that is no JSON": (lambda f: f.update({"manifest.json": b"{"}), "is no JSON"),
    "no signature of the manifest": (lambda f: f.pop("manifest.sig"), "is not signed"),
}


def name(files: dict[str, bytes], kind: str) -> str:
    return min(one for one in files if one.startswith(f"archive/{kind}/"))


@pytest.mark.parametrize("what", DAMAGES)
def test_the_page_finds_damage(tmp_path: Path, what: str) -> None:
    damage, says = DAMAGES[what]
    files = bundle(tmp_path / "e.zip")
    damage(files)
    verdict, said = checked(rewritten(tmp_path / "d.zip", files), OLD)
    assert verdict == FALLS
    assert any(says in one for one in said), said


def test_the_page_asks_for_nothing_from_elsewhere() -> None:
    """One file, without a network: its policy allows none, and nothing in it names a place."""
    page = PAGE.read_text()
    assert "default-src 'none'" in page
    assert not re.findall(r"https?:|\bsrc=|\bhref=|fetch\(|import\(|XMLHttp", page)


def commands() -> list[str]:
    """The commands of VERIFY.txt, those that are continued joined."""
    lines = [line[4:] for line in BY_HAND.read_text().splitlines() if line.startswith("    ")]
    return "\n".join(lines).replace("\\\n  ", "").splitlines()


def test_the_commands_in_verify_txt_work(tmp_path: Path) -> None:
    """As they stand there, but for the names that the reader has to fill in."""
    files = bundle(tmp_path / "e.zip")
    shutil.unpack_archive(tmp_path / "e.zip", tmp_path / "e")
    digest = "archive/digests/2026/02/19/20.json"
    fill = {
        "KEY": NEW[:16],
        "D=archive/digests/2026/02/19/16.json": f"D={digest}",
        "C=archive/commits/TOPIC/0/000000000000.json": f"C={name(files, 'commits')}",
        "F='archive/changes/table=NAME/date=2026-02-19/hour=16/FILE.avro'": (
            f"F='{name(files, 'changes')}'"
        ),
    }
    script = "\n".join(one for one in commands() if "openssl dgst" not in one)
    for placeholder, value in fill.items():
        assert placeholder in script
        script = script.replace(placeholder, value)
    run = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", script],
        cwd=tmp_path / "e",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("Signature Verified Successfully") == 2
    assert NEW[:16] in run.stdout.splitlines()
    assert run.stdout.splitlines()[-1].startswith("archive/commits/")
    previous = json.loads(files[digest])["previous"]
    before = files["archive/digests/2026/02/19/19.json"]
    assert previous == hashlib.sha256(before).hexdigest()
    assert previous in run.stdout


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium is installed")
def test_a_browser_says_the_same(tmp_path: Path) -> None:
    """The page as it is, opened from disk; a script at its end drops a bundle into it."""
    bundle(tmp_path / "e.zip")
    data = base64.b64encode((tmp_path / "e.zip").read_bytes()).decode()
    drop = f"""<script>
      $("fingerprint").value = "{OLD}";
      chosen = ofZip(new File([Uint8Array.from(atob("{data}"), (c) => c.charCodeAt(0))], "e.zip"));
      show();
    </script>"""
    (tmp_path / "page.html").write_text(PAGE.read_text().replace("</html>", f"{drop}</html>"))
    run = subprocess.run(
        [
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=20000",
            "--dump-dom",
            (tmp_path / "page.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert f'role="status">{UNPROVEN}</h2>' in run.stdout, run.stderr[-2000:]
    assert "the manifest is signed by" in run.stdout
    assert "all digests are signed" in run.stdout
