policy "p" {
  for     = model
  require = from.restarts == 0 # ERROR: Fact not known here :: Only a promote block
}
