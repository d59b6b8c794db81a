model "a" {
  image = "a:1"
  route {
    path = "/x"
  }
}
model "b" {
  image = "b:1"
  route { # ERROR: Duplicate route :: model.a has this host and path already, at route_twice.hcl:3
    path = "/x/"
  }
}
