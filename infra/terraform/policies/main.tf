# The documents of infra/iam with the names of one archive in them. No provider, so that tests can run it anywhere.

locals {
  root  = var.prefix == "" ? var.bucket : "${var.bucket}/${var.prefix}"
  names = toset(["worker", "watch", "reader", "checkpointer", "doctor", "create-only-bucket"])
  keys  = toset(["sign", "encrypt", "decrypt"])

  # Each replacement names what stands around it, so that a bucket called my-archive-2 is not replaced twice.
  of_bucket = {
    for name in local.names : name => replace(replace(replace(replace(replace(
      file("${path.module}/../../iam/${name}.json"),
      ":::my-archive/production/", ":::${local.root}/"),
      ":::my-archive\"", ":::${var.bucket}\""),
      ":::my-archive/*\"", ":::${var.bucket}/*\""),
      "arn:aws:iam::123456789012:role/cdc-archive-doctor", var.doctor_role_arn),
    "arn:aws:s3", "arn:${var.partition}:s3")
  }

  of_keys = {
    for name in local.keys : name => replace(replace(
      file("${path.module}/../../iam/${name}.json"),
      "arn:aws:kms:eu-west-1:123456789012:key/signing", var.signing_key_arn),
    "arn:aws:kms:eu-west-1:123456789012:key/encryption", var.encryption_key_arn)
  }

  tls_only = {
    Sid       = "TlsOnly"
    Effect    = "Deny"
    Principal = "*"
    Action    = "s3:*"
    Resource  = ["arn:${var.partition}:s3:::${var.bucket}", "arn:${var.partition}:s3:::${var.bucket}/*"]
    Condition = { Bool = { "aws:SecureTransport" = "false" } }
  }
}
