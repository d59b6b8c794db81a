trust {
  mode = off
}
trust { # ERROR: Duplicate block :: merge the two
  mode = off
}
