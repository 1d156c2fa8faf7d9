data "aws_caller_identity" "current" {}

locals {
  account = "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}"

  account_decides = {
    Sid       = "IamOfThisAccountDecides"
    Effect    = "Allow"
    Principal = { AWS = "${local.account}:root" }
    Action    = "kms:*"
    Resource  = "*"
  }
}

# What it encrypted is gone with it: so it cannot be destroyed from here.
resource "aws_kms_key" "encryption" {
  description             = "Objects of ${var.bucket}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = jsonencode({ Version = "2012-10-17", Statement = [local.account_decides] })
  tags                    = var.tags

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_kms_alias" "encryption" {
  name          = "alias/${var.name}-encryption"
  target_key_id = aws_kms_key.encryption.key_id
}

# Signatures stay valid without it: each public key is kept in the archive, under keys/.
resource "aws_kms_key" "signing" {
  count = var.signing_key ? 1 : 0

  description              = "Digests of ${var.bucket}"
  key_usage                = "SIGN_VERIFY"
  customer_master_key_spec = "ECC_NIST_P256"
  deletion_window_in_days  = 30
  tags                     = var.tags

  # An administrator of this account may not sign in the worker's name, whatever his own policies say.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      local.account_decides,
      {
        Sid       = "OnlyWorkersSign"
        Effect    = "Deny"
        Principal = "*"
        Action    = "kms:Sign"
        Resource  = "*"
        Condition = { ArnNotEquals = { "aws:PrincipalArn" = "${local.account}:role/${var.name}-worker" } }
      },
    ]
  })
}

resource "aws_kms_alias" "signing" {
  count = var.signing_key ? 1 : 0

  name          = "alias/${var.name}-signing"
  target_key_id = aws_kms_key.signing[0].key_id
}
