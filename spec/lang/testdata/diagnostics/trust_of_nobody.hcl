trust { # ERROR: Nobody may sign :: mode = every
  mode = every
}
