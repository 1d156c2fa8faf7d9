output "store_url" {
  description = "store.url"
  value       = var.prefix == "" ? "s3://${var.bucket}" : "s3://${var.bucket}/${var.prefix}"
}

output "encryption_key_arn" {
  description = "store.sse_kms_key_id, with store.sse = \"aws:kms\"; the bucket encrypts with it by default in any case."
  value       = aws_kms_key.encryption.arn
}

output "signing_key_arn" {
  description = "The key that signs digests; null if none was made."
  value       = var.signing_key ? aws_kms_key.signing[0].arn : null
}

output "role_arns" {
  description = "For the service accounts' annotation eks.amazonaws.com/role-arn."
  value       = { for role, made in aws_iam_role.this : role => made.arn }
}
