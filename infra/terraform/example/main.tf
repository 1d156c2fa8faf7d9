# An archive for workers in EKS, whose chart is installed as release "archive" in namespace "audit".

terraform {
  required_version = ">= 1.6"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.70"
    }
  }
}

provider "aws" {
  region = var.region
}

variable "region" {
  type    = string
  default = "eu-west-1"
}

variable "bucket" {
  type = string
}

variable "oidc_provider_arn" {
  type = string
}

module "archive" {
  source = "../"

  bucket            = var.bucket
  prefix            = "production"
  object_lock_mode  = "COMPLIANCE"
  object_lock_days  = 400
  oidc_provider_arn = var.oidc_provider_arn

  # fullname of the chart, then the component
  service_accounts = {
    worker       = ["audit:archive-cdc-archive-worker"]
    watch        = ["audit:archive-cdc-archive-watch"]
    reader       = ["audit:archive-cdc-archive-verify", "audit:archive-cdc-archive-reconcile"]
    checkpointer = ["audit:archive-cdc-archive-checkpoint"]
  }
}

output "store_url" {
  value = module.archive.store_url
}

output "role_arns" {
  value = module.archive.role_arns
}

output "signing_key_arn" {
  value = module.archive.signing_key_arn
}
