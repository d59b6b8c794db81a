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
  protocol = http
  health {
    path = "/"
  }
  route {
    path = "/a"
  }
  rollout {
    check "x" {
      metric = score_shift # ERROR: Metric without meaning :: this model speaks http
      max    = 0.1
    }
  }
}
