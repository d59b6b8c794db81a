trust {
  mode  = off
  since = "main" # ERROR: Invalid commit :: git rev-parse
}
