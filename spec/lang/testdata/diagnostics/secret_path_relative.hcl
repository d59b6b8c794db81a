secret "token" {
  file = "token.txt" # ERROR: Path not absolute :: daemon's host
}
