resource "docker_container" "digits" { # ERROR: File of another tool :: Terraform or OpenTofu
  image = "digits:1"
}
