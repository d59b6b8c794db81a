model "a" {
  image = "a:1"
  route {
    path = "/a"
    limit {
      concurrency = 2
      burst       = 5 # ERROR: Contradictory arguments :: there is no rate
    }
  }
}
