model "a" {
  image        = "a:1"
  capabilities = ["CAP_NET_ADMIN"] # ERROR: Invalid capability :: without the CAP_ prefix
}
