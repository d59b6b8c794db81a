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
    strategy = recreate
    check "x" {
      metric = score_shift # ERROR: Nothing to compare with :: stops that first
      max    = 0.1
    }
  }
}
