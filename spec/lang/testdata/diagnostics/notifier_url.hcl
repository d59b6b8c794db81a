notifier "plain" {
  kind = webhook
  url  = "http://alerts.example.com" # WARNING: Not encrypted :: https://
}
notifier "near" {
  kind = alertmanager
  url  = "http://127.0.0.1:9093"
}
notifier "name" {
  kind = alertmanager
  url  = "alerts:9093" # ERROR: Invalid URL :: https://HOST
}
notifier "empty" {
  kind = alertmanager
  url  = "" # ERROR: Invalid URL :: empty
}
notifier "user" {
  kind = webhook
  url  = "https://u:p@example.com" # ERROR: Credential in the repo :: secret.NAME
}
notifier "slack" {
  kind = slack
  url  = "https://hooks.slack.com/services/T0/B0/x" # ERROR: Credential in the repo :: Make a new one
}
notifier "mail" {
  kind = email
  url  = "https://mail.example.com" # ERROR: Invalid URL :: smtps://
  from = "a@example.com"
  to   = ["b@example.com"]
}
notifier "path" {
  kind = email
  url  = "smtp://mail.example.com/x" # ERROR: Invalid URL :: no path
  from = "a@example.com"
  to   = ["b@example.com"]
}
