model "a" {
  image = "a:1"
  signature { # ERROR: Incomplete signature :: at least one input and one output
    input "x" {
      datatype = FP32
      shape    = [-1]
    }
  }
}
