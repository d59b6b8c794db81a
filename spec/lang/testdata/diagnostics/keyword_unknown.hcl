model "digits" {
  image    = "digits:1"
  protocol = open_inferense # ERROR: Unknown keyword :: Did you mean open_inference?
}
