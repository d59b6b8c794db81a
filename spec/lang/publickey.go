package lang

import (
	"encoding/base64"
	"encoding/binary"
	"math/big"
	"slices"
	"strings"
)

// sshTypes are the kinds of public key that sign commits.
var sshTypes = [...]string{
	"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa",
	"sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
}

// minRSABits is the smallest RSA key that counts as one.
const minRSABits = 2048

const (
	armourBegin = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
	armourEnd   = "-----END PGP PUBLIC KEY BLOCK-----"
)

func (s section) sshKeys() []string { return s.publicKeys("ssh", sshKeyProblem) }

func (s section) gpgKeys() []string { return s.publicKeys("gpg", gpgKeyProblem) }

// publicKeys reads a list of keys. What looks like a private one is refused without
// a word of it, and without the line on which it stands.
func (s section) publicKeys(name string, problem func(key string) string) []string {
	keys := s.stringList(name)
	for i, key := range keys {
		keys[i] = strings.TrimSpace(key)
		if strings.Contains(strings.ToUpper(key), "PRIVATE KEY") {
			s.errorf(s.awayFrom(name), "Private key in the repo", "%s of %s holds a private key, and everybody who can read the repo can sign with it now. Take that key out of use, make a new one, and write its public half here.", name, blockWords(s.n))
			s.ev.fail()
			return nil
		}
		if why := problem(keys[i]); why != "" {
			s.errorf(s.itemAt(name, i), "Invalid key", "%s", why)
		}
	}
	return keys
}

// sshKeyProblem tells what is wrong with a line of authorized_keys (RFC 4253,
// section 6.6).
func sshKeyProblem(line string) string {
	const form = "A public SSH key is one line of a type, the key in base64, and a comment, as in the file id_ed25519.pub: \"ssh-ed25519 AAAAC3Nz... ann@laptop\"."
	if strings.ContainsAny(line, "\r\n") {
		return form + " Write each line as a text of its own."
	}
	fields := strings.Fields(line)
	if len(fields) < 2 {
		return form
	}
	typ := fields[0]
	switch {
	case strings.Contains(typ, "-cert-"):
		return "This is a certificate, and keys are trusted by themselves. Write the public key that it is of."
	case typ == "ssh-dss":
		return "DSA keys are too weak to trust, and OpenSSH has given them up. Make a new one: ssh-keygen -t ed25519."
	case !slices.Contains(sshTypes[:], typ):
		return form + " Options cannot stand before the type, which is one of " + strings.Join(sshTypes[:], ", ") + "."
	}
	blob, err := base64.StdEncoding.DecodeString(fields[1])
	if err != nil {
		return "What stands behind " + typ + " is no base64: the key was cut or changed. Copy the whole line of the .pub file."
	}
	inner, rest, ok := sshString(blob)
	switch {
	case !ok || string(inner) != typ:
		return "What stands behind " + typ + " is no key of that type. Copy the whole line of the .pub file."
	case len(rest) == 0:
		return "The key was cut. Copy the whole line of the .pub file."
	case typ == "ssh-ed25519":
		if key, after, whole := sshString(rest); !whole || len(key) != 32 || len(after) > 0 {
			return "The key was cut, or is no Ed25519 key. Copy the whole line of the .pub file."
		}
	case typ == "ssh-rsa":
		_, after, whole := sshString(rest) // the exponent
		modulus, end, complete := sshString(after)
		if !whole || !complete || len(end) > 0 {
			return "The key was cut. Copy the whole line of the .pub file."
		}
		if new(big.Int).SetBytes(modulus).BitLen() < minRSABits {
			return "The RSA key has fewer than 2048 bits, and could be broken. Make a new one: ssh-keygen -t ed25519."
		}
	}
	return ""
}

// sshString cuts a string off that has its length before it (RFC 4251, section 5).
func sshString(b []byte) (s, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := binary.BigEndian.Uint32(b)
	b = b[4:]
	if uint64(n) > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

func gpgKeyProblem(text string) string {
	switch {
	case !strings.HasPrefix(text, armourBegin):
		return "A public GPG key is armoured text that begins with " + armourBegin + ", as `gpg --armor --export KEY` writes it. Put it into a file, and write gpg = [file(\"keys/ann.asc\")]."
	case !strings.HasSuffix(text, armourEnd):
		return "The key has no end: its last line is " + armourEnd + ". Copy all of it."
	case strings.Count(text, armourBegin) > 1:
		return "There are several keys in one text. Write each as an element of its own."
	default:
		return ""
	}
}

// keyIdentity is what tells one key from another: of a line its key without the
// comment, of armour all of it; "" of what is none.
func keyIdentity(key string) string {
	switch {
	case gpgKeyProblem(key) == "":
		return key
	case sshKeyProblem(key) == "":
		return strings.Fields(key)[1]
	default:
		return ""
	}
}
