notifier "a" {
  kind   = alertmanager
  url    = "https://example.com"
  title  = "{{ .Titel }}" # ERROR: Unknown field :: Did you mean Title?
  text   = "{{ if .Resolves }}" # ERROR: Invalid template :: unexpected EOF
  events = [rolledback] # ERROR: Unknown keyword :: Did you mean rolled_back?
  owners = [] # ERROR: Empty list :: about everything
}
notifier "b" {
  kind     = alertmanager
  url      = "https://example.com"
  title    = "{{ nothing .Title }}" # ERROR: Invalid template :: not defined
  events   = [held, held] # ERROR: Duplicate event :: already
  severity = fatal # ERROR: Unknown keyword :: critical
}
notifier "c" {
  kind   = alertmanager
  url    = "https://example.com"
  events = [] # ERROR: Empty list :: about everything
}
