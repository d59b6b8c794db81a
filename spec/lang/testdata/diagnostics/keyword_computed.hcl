variable "p" {
  default = "http"
}
model "digits" {
  image    = "digits:1"
  protocol = var.p # ERROR: Keyword expected :: cannot be computed
}
