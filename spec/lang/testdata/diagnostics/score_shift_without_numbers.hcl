model "a" {
  image = "a:1"
  signature {
    input "x" {
      datatype = BYTES
      shape    = [-1]
    }
    output "label" {
      datatype = BYTES
      shape    = [-1]
    }
  }
  rollout {
    check "x" {
      metric = score_shift # ERROR: Output not numeric :: of BYTES or BOOL
      max    = 0.1
    }
  }
}
