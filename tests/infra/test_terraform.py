"""The Terraform module, read as HCL: what guards the bucket is there, what would undo it is not."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import hcl2
import pytest

TERRAFORM = Path(__file__).parents[2] / "infra" / "terraform"
IAM = TERRAFORM.parent / "iam"
MODULES = ("", "policies", "example")


def plain(value: Any) -> Any:
    """Without the quotes and marks that the parser keeps."""
    if isinstance(value, dict):
        return {plain(key): plain(one) for key, one in value.items() if not key.startswith("__")}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value.strip('"') if isinstance(value, str) else value


@cache
def read(file: Path) -> dict[str, Any]:
    return dict(plain(hcl2.loads(file.read_text())))


def blocks(module: str, kind: str) -> list[Any]:
    """All blocks of a kind of one module."""
    return [
        one
        for file in sorted((TERRAFORM / module).glob("*.tf"))
        for one in read(file).get(kind, [])
    ]


def resource(kind: str, name: str) -> dict[str, Any]:
    (found,) = [one[kind][name] for one in blocks("", "resource") if name in one.get(kind, {})]
    return dict(found)


def test_the_bucket_is_guarded() -> None:
    """Versions, Object Lock, encryption, nothing public; and it is not destroyed from here."""
    bucket = resource("aws_s3_bucket", "archive")
    assert bucket["object_lock_enabled"] is True
    assert bucket["force_destroy"] is False
    assert bucket["lifecycle"] == [{"prevent_destroy": True}]
    versions = resource("aws_s3_bucket_versioning", "archive")
    assert versions["versioning_configuration"] == [{"status": "Enabled"}]
    (rule,) = resource("aws_s3_bucket_object_lock_configuration", "archive")["rule"]
    assert rule["default_retention"] == [
        {"mode": "${var.object_lock_mode}", "days": "${var.object_lock_days}"}
    ]
    (rule,) = resource("aws_s3_bucket_server_side_encryption_configuration", "archive")["rule"]
    (by_default,) = rule["apply_server_side_encryption_by_default"]
    assert by_default["sse_algorithm"] == "aws:kms"
    block = resource("aws_s3_bucket_public_access_block", "archive")
    assert [value for value in block.values() if isinstance(value, bool)] == [True] * 4


def test_nothing_in_the_bucket_ever_expires() -> None:
    """But parts of abandoned uploads: no rule is for versions, none moves them away."""
    (rule,) = resource("aws_s3_bucket_lifecycle_configuration", "archive")["rule"]
    assert rule.keys() == {"id", "status", "filter", "abort_incomplete_multipart_upload"}


def test_only_the_worker_signs() -> None:
    """By the key's own policy, which no policy of a user overrules."""
    key = resource("aws_kms_key", "signing")
    assert key["key_usage"] == "SIGN_VERIFY"
    assert key["customer_master_key_spec"] == "ECC_NIST_P256"
    policy = re.sub(r"\s+", " ", str(key["policy"]))
    assert "Deny" in policy
    assert "kms:Sign" in policy
    assert "role/${var.name}-worker" in policy


def test_each_role_is_made_of_documents_that_are_tested() -> None:
    """By name; the worker alone signs, and only who writes may ask for data keys."""
    (all_locals,) = [one for one in blocks("", "locals") if "roles" in one]
    roles = all_locals["roles"]
    named = {role: set(re.findall(r'"(\w+)"', f'"{text}"')) for role, text in texts(roles).items()}
    documents = {path.stem for path in IAM.iterdir()}
    assert named.keys() == {"worker", "watch", "reader", "checkpointer", "doctor"}
    for role, used in named.items():
        assert used <= documents
        assert role in used
    assert {role for role, used in named.items() if "sign" in used} == {"worker"}
    assert {role for role, used in named.items() if "encrypt" in used} == {"worker", "checkpointer"}


def texts(roles: dict[str, Any]) -> dict[str, str]:
    return {
        role: '" "'.join(value) if isinstance(value, list) else str(value)
        for role, value in roles.items()
    }


def test_the_policies_are_those_of_infra_iam() -> None:
    """Every file of it is read, and none is repeated here."""
    (made,) = blocks("policies", "locals")
    named = set(re.findall(r'"([a-z-]+)"', str(made["names"]) + str(made["keys"])))
    assert named == {path.stem for path in IAM.iterdir()}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module or "root")
def test_every_variable_is_used_and_told_of(module: str) -> None:
    """No option that does nothing."""
    text = "".join(file.read_text() for file in (TERRAFORM / module).glob("*.tf"))
    names = [name for one in blocks(module, "variable") for name in one]
    assert names
    for name in names:
        assert re.search(rf"\bvar\.{name}\b", text), name
    for used in set(re.findall(r"\bvar\.(\w+)", text)):
        assert used in names, used


def test_modules_are_given_what_they_declare() -> None:
    """All that has no default, and nothing else."""
    for caller, called in (("", "policies"), ("example", "")):
        (block,) = [given for one in blocks(caller, "module") for given in one.values()]
        declared = {name: spec for one in blocks(called, "variable") for name, spec in one.items()}
        given = block.keys() - {"source"}
        assert given <= declared.keys()
        assert {name for name, spec in declared.items() if "default" not in spec} <= given
