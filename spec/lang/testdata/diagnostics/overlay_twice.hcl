# environment: prod
model "digits" {
  image = "digits:1"
}
environment "prod" {
  model "digits" {
    replicas = 4
  }
}
environment "prod" {
  model "digits" { # ERROR: Duplicate block :: Merge the two
    port = 80
  }
}
