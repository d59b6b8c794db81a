# The root of trust: on the daemon's host, read at its start, and out of the reach of
# whoever may write to the repository.
#
#     fairlead validate --trust operator/trust.hcl
trust {
  mode = every # a floor: whatever the repository says, this holds

  # History up to this commit, itself included, is taken as it is. Write down what the
  # branch is when you begin:  git rev-parse origin/main
  #
  # since = "8f3c51b0a7d94e62b1c0f5a3e7d9826410bfae37"

  # These two sign what comes first. From the commit with the repository's own trust
  # block on, its signers count, and these no more than any other.
  signer "emma" {
    ssh = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHDOozAyhWEeoRaeu0T8eyBErMYYFUrn48ByBV4zSEsy emma@example.com"]
  }
  signer "ann" {
    ssh = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPgn/GTySxOFBzP4IkudbA1qUcw1eTb/2bQxIGyaEtP/ ann@example.com"]
  }

  # A key that stands here has no more rights than are written here: the repository
  # cannot make a person of a bot or a forge.
  signer "forge" {
    role = forge
    gpg = [<<-KEY
      -----BEGIN PGP PUBLIC KEY BLOCK-----

      mDMEawHSXxYJKwYBBAHaRw8BAQdAzoVrbkVOxDZ1dXQVocCEr2XjZ5bu3sqizbMZ
      Ukx8ak60KkZvcmdlIG9mIHRoZSBleGFtcGxlIDxub3JlcGx5QGV4YW1wbGUuY29t
      PoiQBBMWCAA4FiEEmLmG76E2wuZ08KB4zu57vkVSyjEFAmsB0l8CGwMFCwkIBwIG
      FQoJCAsCBBYCAwECHgECF4AACgkQzu57vkVSyjFzVwEAnhU8LqLAfcP6FApSgbhN
      SesgYQV5yKjWsTUPszWyhBQA/1C5uTLfywgf1wSglpsFHA5kg3XdFINFnGchnuWs
      wC8G
      =8fAE
      -----END PGP PUBLIC KEY BLOCK-----
      KEY
    ]
  }
  signer "fairlead-prod" {
    role = bot
    ssh  = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHvviR3ZjcwZu7zSxyLQbfbFdmjLB9ypfOAyAt2KsA2W fairlead-prod@example.com"]
  }
  signer "fairlead-staging" {
    role = bot
    ssh  = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPx8reGPOxDgPWiNGmZYFY5EKaZ0dNHWGlGBqsgcT6yn fairlead-staging@example.com"]
  }

  # Also a floor: the repository can ask for more, never for less. The account of the
  # daemons is none of these people.
  group "people" {
    members = ["ann", "ben", "chloe-m", "david", "emma", "farid"]
  }
  review "somebody" {
    approvals = 1
    from      = ["@people"]
  }
}
