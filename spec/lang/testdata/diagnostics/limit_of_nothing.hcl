model "a" {
  image = "a:1"
  route {
    path = "/a"
    limit {
      rate        = 0    # ERROR: Value out of range :: from 0.001
      burst       = 1.5  # ERROR: Number not whole :: whole number
      concurrency = -1   # ERROR: Value out of range :: from 1
    }
  }
}
