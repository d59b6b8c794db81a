// Package secret resolves the values that secret blocks point to. It implements
// reconcile.Secrets with four kinds of source:
//
//	secret "x" { file = "/etc/fairlead/secrets/x" }  a file of the daemon's host
//	secret "x" { env = "FAIRLEAD_SECRET_X" }         the daemon's environment
//	secret "x" { age = "-----BEGIN AGE ..." }        encrypted in the repo
//	secret "x" {                                     in a file of the repo, encrypted with SOPS
//	  sops = "secrets.enc.yaml"
//	  key  = "db.password"
//	}
//
// A config repo is not trusted with the host: whoever may merge into it must not
// be able to read /etc/shadow or the daemon's own tokens by pointing a secret at
// them. So the operator, and never the repo, says which directories and which
// environment names secrets may come from. The defaults are one directory and
// one prefix; see [Options]. A path cannot leave its directory through ".." or
// a symlink, and names that begin with FAIRLEAD_ but not with FAIRLEAD_SECRET_
// belong to the daemon and are never given away.
//
// Encrypted values are age files (https://age-encryption.org), armoured or in
// base64, for an X25519 or a post-quantum hybrid key. The operator keeps the
// identities in a file on the host. Plugins and passphrases are not supported:
// both would start programs or wait for a person.
//
// A ciphertext says nothing about whose it is: it can be copied into another repo, and
// declared there by whoever wants to read it. So each of several repos that are composed
// has identities of its own, and what a repo declares is decrypted with those alone. An
// include whose identity another module has as well gets nothing.
//
// SOPS files (https://getsops.io) are YAML, JSON, dotenv or binary, encrypted for age
// recipients; the same identities decrypt them. The MAC is verified before anything
// of a file is given out. The format is read here, with package age and the standard
// library, which adds 50 kB to the program. The packages of getsops/sops/v3 for ciphers
// and formats alone would add 27 MB, since they link the SDKs of all key services; they
// also start programs and read keys from the environment. Left out are split keys
// (Shamir), INI, several documents in a YAML file, and rules by comments; each is refused
// with words. What SOPS does not protect is no secret: values that the file holds in
// clear, and empty ones.
//
// Resolving is all or nothing, and an [Error] lists every secret that failed
// with its place, cause and remedy. No error text ever holds a part of a value,
// of a ciphertext or of an identity.
package secret
