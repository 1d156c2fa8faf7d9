variable "bucket" {
  description = "Name of the bucket, which is made here and is the archive's alone."
  type        = string
}

variable "prefix" {
  description = "Where in the bucket the archive lies: store.url is s3://bucket/prefix. Empty: at its root."
  type        = string
  default     = "production"

  validation {
    condition     = var.prefix == trim(var.prefix, "/")
    error_message = "Write the prefix without slashes around it."
  }
}

variable "name" {
  description = "Beginning of the names of roles and key aliases."
  type        = string
  default     = "cdc-archive"
}

variable "object_lock_mode" {
  description = "COMPLIANCE: nobody can remove a version before its time, the account's owner included. GOVERNANCE: who may bypass it can."
  type        = string
  default     = "COMPLIANCE"

  validation {
    condition     = contains(["COMPLIANCE", "GOVERNANCE"], var.object_lock_mode)
    error_message = "COMPLIANCE or GOVERNANCE."
  }
}

variable "object_lock_days" {
  description = "How long no version can be removed. With COMPLIANCE it can be made longer later, never shorter for what is there."
  type        = number
  default     = 365

  validation {
    condition     = var.object_lock_days >= 1 && floor(var.object_lock_days) == var.object_lock_days
    error_message = "At least one whole day."
  }
}

variable "signing_key" {
  description = "Whether to make a KMS key that signs digests. Without it, workers sign with an Ed25519 key of their own, or not at all."
  type        = bool
  default     = true
}

variable "oidc_provider_arn" {
  description = "IAM's OIDC provider of the EKS cluster; null: no service account may take a role."
  type        = string
  default     = null
}

variable "service_accounts" {
  description = "Which service accounts may take which role: role to \"namespace:name\"."
  type        = map(list(string))
  default     = {}

  validation {
    condition     = alltrue([for role in keys(var.service_accounts) : contains(["worker", "watch", "reader", "checkpointer", "doctor"], role)])
    error_message = "Roles are worker, watch, reader, checkpointer and doctor."
  }
}

variable "principals" {
  description = "Which other AWS principals may take which role: role to ARNs, for example an auditor's account for reader."
  type        = map(list(string))
  default     = {}

  validation {
    condition     = alltrue([for role in keys(var.principals) : contains(["worker", "watch", "reader", "checkpointer", "doctor"], role)])
    error_message = "Roles are worker, watch, reader, checkpointer and doctor."
  }
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
