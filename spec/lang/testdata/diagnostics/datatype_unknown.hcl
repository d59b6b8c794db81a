model "a" {
  image = "a:1"
  signature {
    input "x" {
      datatype = FLOAT32 # ERROR: Unknown keyword :: datatype takes one of BOOL
      shape    = [-1]
    }
    output "y" {
      datatype = fp32 # ERROR: Unknown keyword :: Did you mean FP32?
      shape    = [-1]
    }
  }
}
