module "policies" {
  source = "./policies"

  bucket             = var.bucket
  prefix             = var.prefix
  partition          = data.aws_partition.current.partition
  encryption_key_arn = aws_kms_key.encryption.arn
  signing_key_arn    = var.signing_key ? aws_kms_key.signing[0].arn : ""
  doctor_role_arn    = "${local.account}:role/${var.name}-doctor"
}

locals {
  # Which documents of infra/iam make up which role.
  roles = {
    worker       = concat(["worker", "encrypt"], var.signing_key ? ["sign"] : [])
    watch        = ["watch", "decrypt"]
    reader       = ["reader", "decrypt"]
    checkpointer = ["checkpointer", "encrypt"]
    doctor       = ["doctor", "decrypt"]
  }

  attachments = merge([
    for role, documents in local.roles : { for document in documents : "${role}-${document}" => { role = role, document = document } }
  ]...)

  oidc_issuer = var.oidc_provider_arn == null ? "" : element(split("oidc-provider/", var.oidc_provider_arn), 1)

  by_service_account = {
    for role in keys(local.roles) : role => [
      for names in [lookup(var.service_accounts, role, [])] : {
        Effect    = "Allow"
        Principal = { Federated = var.oidc_provider_arn }
        Action    = "sts:AssumeRoleWithWebIdentity"
        Condition = {
          StringEquals = {
            "${local.oidc_issuer}:aud" = "sts.amazonaws.com"
            "${local.oidc_issuer}:sub" = [for name in names : "system:serviceaccount:${name}"]
          }
        }
      } if var.oidc_provider_arn != null && length(names) > 0
    ]
  }

  by_principal = {
    for role in keys(local.roles) : role => [
      for arns in [lookup(var.principals, role, [])] : {
        Effect    = "Allow"
        Principal = { AWS = arns }
        Action    = "sts:AssumeRole"
      } if length(arns) > 0
    ]
  }

  # A role that nobody may take is not made.
  trusted = {
    for role in keys(local.roles) : role => concat(local.by_service_account[role], local.by_principal[role])
    if length(concat(local.by_service_account[role], local.by_principal[role])) > 0
  }
}

resource "aws_iam_role" "this" {
  for_each = local.trusted

  name                 = "${var.name}-${each.key}"
  description          = "${each.key} of the archive in ${var.bucket}"
  max_session_duration = 3600
  assume_role_policy   = jsonencode({ Version = "2012-10-17", Statement = each.value })
  tags                 = var.tags
}

resource "aws_iam_role_policy" "this" {
  for_each = { for name, one in local.attachments : name => one if contains(keys(local.trusted), one.role) }

  name   = each.value.document
  role   = aws_iam_role.this[each.value.role].id
  policy = module.policies.documents[each.value.document]
}
