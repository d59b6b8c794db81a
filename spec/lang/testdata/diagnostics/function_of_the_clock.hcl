model "digits" {
  image = "digits:${timestamp()}" # ERROR: Unknown function :: Nothing may read the clock
}
