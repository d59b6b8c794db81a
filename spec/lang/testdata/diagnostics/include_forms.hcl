include "none" { # ERROR: Missing argument :: git.example.com
}
include "path" {
  repo   = "https://git.example.com/a.git"
  path   = "../x"      # ERROR: Invalid path :: of a directory
  ref    = "--upload"  # ERROR: Invalid ref :: name of a branch
  prefix = "Team"      # ERROR: Invalid prefix :: team_a_
  token  = "hunter2"   # ERROR: Secret expected :: secret.NAME
}
include "password" {
  repo = "https://u:p@git.example.com/a.git" # ERROR: Credential in the repo :: token = secret.NAME
}
include "relative" {
  repo = "../other" # ERROR: Invalid URL :: ssh://
}
include "option" {
  repo = "ext::sh -c x" # ERROR: Invalid URL :: ssh://
}
include "scp" {
  repo = "-x@git.example.com:a.git" # ERROR: Invalid URL :: USER@HOST:PATH
}
include "query" {
  repo = "https://git.example.com/a.git?x=1" # ERROR: Invalid URL :: https://HOST/PATH
}
include "gate" {
  repo = "git@git.example.com:a.git"
  trust { # ERROR: Nobody may sign :: mode = every
    mode = every
  }
}

include "root" { # ERROR: Reserved name :: another name
  repo = "https://git.example.com/r.git"
}
