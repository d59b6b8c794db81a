# ERROR@3: Invalid expression :: the start of an expression
model "digits" {
  image =
}
