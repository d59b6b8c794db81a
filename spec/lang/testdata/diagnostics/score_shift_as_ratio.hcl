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
      metric        = score_shift
      max_vs_stable = 1.1 # ERROR: Bound without meaning :: Use max.
    }
  }
}
