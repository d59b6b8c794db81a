# environment: prod
model "digits" {
  image = "digits:1"
}
environment "prod" {
  model "digit" { # ERROR: Overlay of nothing :: Did you mean digits?
    replicas = 4
  }
}
