trust {
  mode = head
  signer "keyless" { # ERROR: Signer without key :: ssh-ed25519
  }
  signer "an n" { # ERROR: Invalid label :: without @
    ssh = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDL9TXf6vT2wL2azfKM6YK99/GSMUd7JbeiGW9btwtzJ"]
  }
  signer "ben" {
    ssh         = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKczBEzkW2cYyqjyd21xbT7FIR7e8kF1EJFp565J90sh"]
    login       = "@ben" # ERROR: Invalid login :: without @
    valid_from  = "2026-02-01"
    valid_until = "2026-01-01" # ERROR: Contradictory values :: no signature
  }
  signer "twin" {
    ssh = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKczBEzkW2cYyqjyd21xbT7FIR7e8kF1EJFp565J90sh other comment"] # ERROR: Duplicate key :: "ben"
  }
  signer "forms" {
    ssh = [
      "AAAAC3NzaC1lZDI1NTE5AAAAIDL9TXf6vT2wL2azfKM6YK99", # ERROR: Invalid key :: id_ed25519.pub
      "no-pty ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDL9TXf6vT2wL2azfKM6YK99/GSMUd7JbeiGW9btwtzJ",                                     # ERROR: Invalid key :: Options cannot stand
      "ssh-ed25519 AAAA!",                               # ERROR: Invalid key :: no base64
      "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIDL9TXf6vT2wL2azfKM6YK99", # ERROR: Invalid key :: no key of that type
      "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDL9TXf6vT2wL2azfKM6", # ERROR: Invalid key :: was cut
      "ssh-dss AAAAB3NzaC1kc3M=",                        # ERROR: Invalid key :: too weak
      "ssh-ed25519-cert-v01@openssh.com AAAA",           # ERROR: Invalid key :: certificate
      "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC87KVwWJG1APb1KCfriP4LKUDsCcnJHmnI58xNFpD6dZxth9byP2TAgqiTyr6KrHjIWsQa0xaUtxxIm3EqRrXKXRa5Gxc9ZFcDI04LPGs3mJEYsqtcQDCOhOX025A6DVU5lwQMcerKjQhxyJEU1aRxoHxD8JGhQBnDV4pwS92HGQ== weak", # ERROR: Invalid key :: 2048 bits
    ]
    gpg = [
      "mDMEaSA", # ERROR: Invalid key :: gpg --armor
      "-----BEGIN PGP PUBLIC KEY BLOCK-----\nmDME", # ERROR: Invalid key :: no end
    ]
  }
  signer "private" { # ERROR: Private key in the repo :: out of use
    ssh = ["-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\n-----END OPENSSH PRIVATE KEY-----"]
  }
  signer "oneline" { gpg = ["-----BEGIN PGP PRIVATE KEY BLOCK-----"] }
  # ERROR nowhere: Private key in the repo :: oneline
  group "forms" { # ERROR: Ambiguous name :: @forms
    members = ["ann"]
  }
}
