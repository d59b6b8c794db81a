model "a" {
  image = "a:1"
  signature {
    input "x" {
      datatype = FP32
      shape    = [-1]
    }
    output "score" {
      datatype = FP32
      shape    = [-1]
    }
    output "label" {
      datatype = BYTES
      shape    = [-1]
    }
  }
  rollout {
    check "x" {
      metric = score_shift
      output = "label" # ERROR: Output not numeric :: Numeric are score.
      max    = 0.1
    }
  }
}
