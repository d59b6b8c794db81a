# fairlead serve --config /etc/fairlead/serve.hcl
#
# The daemon of prod, where the repository is on GitHub. Each setting is a flag of
# "fairlead serve", with _ for -. Secrets are files that only the daemon's user can read.

repo        = "https://github.com/acme/models.git"
branch      = "main"
environment = "prod"
data        = "/var/lib/fairlead/prod"
gateway     = "0.0.0.0:8080"

# To read and to push: the journal, and branches of proposals.
git_token_file = "/etc/fairlead/git-token"

# To comment, to set statuses, to open pull requests, and to ask who approved.
forge            = "github"
forge_token_file = "/etc/fairlead/forge-token"

# As a GitHub App, in place of the token for the forge. Git needs its own all the same.
#
# forge_app_id       = 123456
# forge_app_key_file = "/etc/fairlead/app.pem"

# Where the repository is elsewhere. The forge is at the host of repo, unless it says
# forge_url.
#
# repo  = "https://gitlab.example.com/acme/models.git"
# forge = "gitlab"
#
# repo  = "https://git.example.com/acme/models.git"
# forge = "gitea" # or "forgejo"

trust = "/etc/fairlead/trust.hcl"

# What this daemon decides, it signs. The head belongs where nobody who can write to
# the repository or to this host's disk can write: a mount of another host.
journal_key     = "/etc/fairlead/journal"
journal_signers = "/etc/fairlead/journal.signers"
journal_head    = "/mnt/audit/fairlead-prod.json"

# Journals that began without a key: the last unsigned entry of this one, and of that of
# staging, whose evidence promotes. "git rev-parse origin/fairlead/journal/staging" prints
# it before the daemon gets its key.
#
# journal_signed_since = ["ID", "staging=ID"]

# A webhook saves the wait for the next look, and nothing depends on it.
webhook        = ["main=github:/etc/fairlead/webhook"]
webhook_listen = "127.0.0.1:7071"

# The key that decrypts the secrets of the repository. One that is included has a key of
# its own: age_identity = ["/etc/fairlead/age-identity", "NAME=/etc/fairlead/age-NAME"].
age_identity = "/etc/fairlead/age-identity"

# The Alertmanager of the example is in a private network.
notify_private = true
