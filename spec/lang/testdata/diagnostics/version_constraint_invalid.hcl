fairlead {
  required_version = "at least 1" # ERROR: Invalid version constraint
}
