model "a" {
  image = "a:1"
  rollout {
    sticky {} # ERROR: One source needed :: header or at a cookie
  }
}
