notifier "ops" {
  kind   = slack
  url    = secret.hook
  events = ["held"] # ERROR: Keyword in quotes :: Write events = [held], without quotes.
}
secret "hook" {
  file = "/etc/fairlead/secrets/hook"
}
