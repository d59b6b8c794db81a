# Which commits of this repository count. A change of this file is judged by what was
# here before it.
trust {
  mode = every

  # Six people. The label is the login on the forge, where login does not say another.
  signer "ann" {
    ssh = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPgn/GTySxOFBzP4IkudbA1qUcw1eTb/2bQxIGyaEtP/ ann@example.com"]
  }
  signer "ben" {
    ssh = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDh1Cb3U97tVjvTytVvXTAKIZUINibttYkbQPYzprXjd ben@example.com"]
  }
  signer "chloe" {
    login = "chloe-m"
    ssh   = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMH/O6gntGc8owccbmh6pqvy0JqwrZ7QAFzOc5DMBhGW chloe@example.com"]
  }
  signer "david" {
    ssh         = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICLi9LZ46/XWfMnxjcgZ4EiFbKq114Aq1xJtME2ro3Qf david@example.com"]
    valid_until = "2027-12-31" # a contract that ends
  }
  signer "emma" {
    ssh = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHDOozAyhWEeoRaeu0T8eyBErMYYFUrn48ByBV4zSEsy emma@example.com"]
  }
  signer "farid" {
    gpg = [file("keys/farid.asc")]
  }

  # What the button "merge" signs with. It counts for merges that add nothing of their
  # own. keys/forge.asc was made for this example: put the key of your forge there.
  signer "forge" {
    role = forge
    gpg  = [file("keys/forge.asc")]
  }

  # The daemons. What they propose counts when somebody has merged it.
  signer "fairlead-prod" {
    role = bot
    ssh  = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHvviR3ZjcwZu7zSxyLQbfbFdmjLB9ypfOAyAt2KsA2W fairlead-prod@example.com"]
  }
  signer "fairlead-staging" {
    role = bot
    ssh  = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPx8reGPOxDgPWiNGmZYFY5EKaZ0dNHWGlGBqsgcT6yn fairlead-staging@example.com"]
  }

  # Two in each, or else somebody could change nothing: an author's approval is none.
  group "acme/vision" {
    members = ["ann", "ben"]
  }
  group "acme/risk" {
    members = ["chloe-m", "david"]
  }
  group "acme/platform" {
    members = ["emma", "ann"]
  }
  group "acme/quality" {
    members = ["farid", "chloe-m"]
  }

  # Whatever is changed, somebody has approved who owns it.
  review "owners" {
    approvals = 1
    owners    = true
  }
  # What reaches prod, or says who may do what, takes two. Without from, whoever may
  # review on the forge would count, and so would the account of the daemons.
  review "prod" {
    paths     = ["environments/prod.hcl", "trust.hcl", "keys/**", "policies.hcl"]
    approvals = 2
    from      = ["@acme/vision", "@acme/risk", "@acme/platform", "@acme/quality"]
  }
}
