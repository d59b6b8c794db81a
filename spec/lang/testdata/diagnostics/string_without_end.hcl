model "digits" {
  image = "digits:1
} # ERROR@2: String without end :: <<-EOT
