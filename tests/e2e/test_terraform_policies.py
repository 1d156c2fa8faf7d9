"""OpenTofu or Terraform, where one is installed: the files are in its form, and what it makes of
the policies names the archive that it was told and no other.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

INFRA = Path(__file__).parents[2] / "infra"
TOOL = shutil.which("tofu") or shutil.which("terraform")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(TOOL is None, reason="neither tofu nor terraform is installed"),
]


def run(folder: Path, *arguments: str) -> str:
    assert TOOL is not None
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TF_")}
    done = subprocess.run(
        [TOOL, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_files_are_in_the_tools_form() -> None:
    """What it would rewrite it lists."""
    assert run(INFRA, "fmt", "-check", "-recursive", "terraform") == ""


@pytest.mark.parametrize("prefix", ["evidence", ""])
def test_policies_name_the_archive_that_was_told(prefix: str, tmp_path: Path) -> None:
    """Also a bucket whose name begins like the one in infra/iam, and another partition of AWS."""
    for name in ("iam", "terraform"):
        shutil.copytree(INFRA / name, tmp_path / name)
    folder = tmp_path / "terraform" / "policies"
    told = {
        "bucket": "my-archive-eu",
        "prefix": prefix,
        "partition": "aws-cn",
        "encryption_key_arn": "arn:aws-cn:kms:cn-north-1:1:key/e",
        "signing_key_arn": "arn:aws-cn:kms:cn-north-1:1:key/s",
        "doctor_role_arn": "arn:aws-cn:iam::1:role/doctor",
    }
    (folder / "terraform.tfvars.json").write_text(json.dumps(told))
    run(folder, "init")
    run(folder, "validate")
    run(folder, "apply", "-auto-approve")
    made = json.loads(run(folder, "output", "-json"))
    root = f"my-archive-eu/{prefix}/" if prefix else "my-archive-eu/"
    for name, document in made["documents"]["value"].items():
        ours = (INFRA / "iam" / f"{name}.json").read_text()
        expected = (
            ours.replace("my-archive/production/", root)
            .replace('my-archive"', 'my-archive-eu"')
            .replace("my-archive/*", "my-archive-eu/*")
            .replace("arn:aws:s3", "arn:aws-cn:s3")
            .replace(
                "arn:aws:kms:eu-west-1:123456789012:key/encryption", told["encryption_key_arn"]
            )
            .replace("arn:aws:kms:eu-west-1:123456789012:key/signing", told["signing_key_arn"])
            .replace("arn:aws:iam::123456789012:role/cdc-archive-doctor", told["doctor_role_arn"])
        )
        assert json.loads(document) == json.loads(expected), name
    of_bucket = json.loads(made["bucket_policy"]["value"])["Statement"]
    assert [one["Sid"] for one in of_bucket] == ["CreateOnly", "TlsOnly"]
    assert of_bucket[0]["Resource"] == f"arn:aws-cn:s3:::{root}*"
