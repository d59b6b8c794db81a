model "digits" {
  image    = "digits:1"
  protocol = "http" # ERROR: Keyword in quotes :: Write protocol = http
  route {
    path = "/x"
  }
}
