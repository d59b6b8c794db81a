# The daemon of staging. It is another process, on this host or another, with its own
# data, its own key for the journal, and the same root of trust.

repo             = "https://github.com/acme/models.git"
branch           = "main"
environment      = "staging"
data             = "/var/lib/fairlead/staging"
gateway          = "0.0.0.0:8081"
git_token_file   = "/etc/fairlead/git-token"
forge            = "github"
forge_token_file = "/etc/fairlead/forge-token"
trust            = "/etc/fairlead/trust.hcl"
journal_key      = "/etc/fairlead/journal-staging"
journal_signers  = "/etc/fairlead/journal.signers"
age_identity     = "/etc/fairlead/age-identity"
docker_config    = "/etc/fairlead/docker" # update asks the registry for tags
notify_private   = true
