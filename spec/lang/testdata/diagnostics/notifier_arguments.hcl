secret "s" {
  env = "S"
}
notifier "a" { # ERROR: Missing argument :: secret.pagerduty
  kind    = pagerduty
  channel = "#x" # ERROR: Contradictory arguments :: It takes token, url
}
notifier "b" { # ERROR: Missing argument :: smtp://mail.example.com:587
  kind        = email
  from        = "x"     # ERROR: Invalid address :: fairlead@example.com
  to          = ["y z"] # ERROR: Invalid address :: vision@example.com
  user        = "u"     # ERROR: Missing argument :: token = secret.NAME
  signing_key = secret.s # ERROR: Contradictory arguments :: url, from, to, user, token
}
notifier "c" { # ERROR: Missing argument :: by a bot
  kind = slack
}
notifier "d" { # ERROR: Missing argument :: #models
  kind  = slack
  token = secret.s
}
notifier "e" {
  kind    = slack
  url     = secret.s
  channel = "#models" # ERROR: Contradictory arguments :: belongs to one channel
}
notifier "f" {
  kind  = webhook
  url   = "https://example.com"
  token = "hunter2-hunter2" # ERROR: Secret expected :: secret.NAME
  user  = "u"               # ERROR: Contradictory arguments :: url, token, signing_key
}
notifier "g" {
  kind = sms # ERROR: Unknown keyword :: slack
  url  = "https://example.com"
}
notifier "h" { # ERROR: Missing argument :: url
  kind = alertmanager
}
notifier "i" {
  kind  = email
  url   = "smtps://mail.example.com"
  from  = "a@example.com"
  to    = [] # ERROR: Empty list :: no receiver
  token = secret.s # ERROR: Missing argument :: of which user
}
notifier "j" { # ERROR: Missing argument :: slack
  url = "https://example.com"
}
