locals {
  x = file("/etc/passwd") # ERROR: Function failed :: counts from the root of the config repo
}
