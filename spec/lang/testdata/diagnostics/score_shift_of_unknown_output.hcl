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
      output = "scroe" # ERROR: Unknown output :: Did you mean score?
      max    = 0.1
    }
  }
}
