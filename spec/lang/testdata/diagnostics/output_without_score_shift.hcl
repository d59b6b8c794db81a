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
      metric = error_ratio
      output = "score" # ERROR: Contradictory arguments :: write metric = score_shift
      max    = 0.1
    }
  }
}
