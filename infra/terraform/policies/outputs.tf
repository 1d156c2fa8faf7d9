output "documents" {
  description = "Policies by the name of their file in infra/iam."
  value       = merge(local.of_bucket, local.of_keys)
}

output "bucket_policy" {
  description = "The bucket's own policy: writes create, requests come by TLS."
  value = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(jsondecode(local.of_bucket["create-only-bucket"]).Statement, [local.tls_only])
  })
}
