# All of them are in one file, encrypted with SOPS for the key in .sops.yaml. To change
# one:
#     sops edit secrets.enc.yaml

secret "slack" {
  sops = "secrets.enc.yaml"
  key  = "notifiers.slack"
}

secret "pagerduty" {
  sops = "secrets.enc.yaml"
  key  = "notifiers.pagerduty"
}

secret "smtp" {
  sops = "secrets.enc.yaml"
  key  = "notifiers.smtp"
}

secret "archive" {
  sops = "secrets.enc.yaml"
  key  = "notifiers.archive"
}

secret "feature_store" {
  sops = "secrets.enc.yaml"
  key  = "feature_store"
}
