source "docker" "digits" { # ERROR: File of another tool :: Packer
}
