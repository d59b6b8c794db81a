# environment: prod
# ERROR nowhere: Unknown environment :: environment "prod" {}
model "a" {
  image = "a:1"
}
