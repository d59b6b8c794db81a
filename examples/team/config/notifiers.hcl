# Who is told what. The tokens are in secrets.enc.yaml.

# Everything, for whoever is curious.
notifier "channel" {
  kind    = slack
  token   = secret.slack
  channel = "#models"
}

# What has to wake somebody, from prod alone. It resolves itself.
notifier "oncall" {
  kind     = pagerduty
  token    = secret.pagerduty
  events   = [rolled_back, held, refused_commit, run_failed, tampered]
  severity = warning
  enabled  = env.name == "prod"
}

# The owners of fraud want it in writing. Other models are none of their concern.
notifier "risk" {
  kind     = email
  url      = "smtp://mail.example.com:587"
  user     = "fairlead"
  token    = secret.smtp
  from     = "Fairlead <fairlead@example.com>"
  to       = ["risk@example.com"]
  owners   = ["@acme/risk"]
  events   = [approval_wanted, promoted, rolled_back]
  severity = info
  title    = "[{{ .Environment }}] {{ .Title }}"
}

# Every message holds the newest entry of the journal: what is kept there, on another
# host, is what "fairlead audit verify --head" compares with.
notifier "archive" {
  kind        = webhook
  url         = "https://archive.example.com/fairlead"
  signing_key = secret.archive
}

# In a private network: the operator has to allow that, with notify_private.
notifier "alerts" {
  kind   = alertmanager
  url    = "https://alertmanager.internal"
  events = [rolled_back, held, drift_healed, tampered]
}
