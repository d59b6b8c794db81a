model "digits" {
  image = "digits:${count.index}" # ERROR: Unknown reference :: Fairlead has no count
}
