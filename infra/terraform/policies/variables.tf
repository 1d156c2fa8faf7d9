variable "bucket" {
  description = "The archive's bucket."
  type        = string
}

variable "prefix" {
  description = "Where in the bucket the archive lies, without slashes around it; empty: at the root."
  type        = string
}

variable "partition" {
  description = "aws, aws-cn or aws-us-gov."
  type        = string
  default     = "aws"
}

variable "encryption_key_arn" {
  description = "The KMS key that objects are encrypted with."
  type        = string
}

variable "signing_key_arn" {
  description = "The KMS key that digests are signed with."
  type        = string
}

variable "doctor_role_arn" {
  description = "The doctor's role, which asks IAM what it may do itself."
  type        = string
}
