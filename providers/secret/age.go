package secret

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// keyring decrypts the age and SOPS secrets of one module in one Resolve. It reads the
// identities when the first one needs them.
type keyring struct {
	module     string
	files      identityFiles
	loaded     bool
	identities []age.Identity
	fault      *fault
}

// load reads the identities, once.
func (k *keyring) load() *fault {
	if !k.loaded {
		k.identities, k.fault = k.files.load(k.module)
		k.loaded = true
	}
	return k.fault
}

// otherKeys is why something cannot be decrypted that is whole.
func (k *keyring) otherKeys() string {
	whose := "this host"
	if k.module != "" {
		whose = moduleWords(k.module)
	}
	return "it is encrypted for other keys than those of " + whose
}

// decrypt returns the plain text without a final newline, as for files. The
// errors of package age are not passed on: they may quote what they parse.
func (k *keyring) decrypt(ciphertext string) (string, *fault) {
	if problem := k.load(); problem != nil {
		return "", problem
	}
	raw, err := dearmour(ciphertext)
	if err != nil {
		return "", damaged()
	}
	plain, err := age.Decrypt(raw, k.identities...)
	if _, other := errors.AsType[*age.NoIdentityMatchError](err); other {
		return "", &fault{
			k.otherKeys(),
			fmt.Sprintf("encrypt it again for a recipient of %s (age-keygen -y prints it)", k.files[k.module]),
		}
	}
	if err != nil {
		return "", damaged()
	}
	value, err := io.ReadAll(io.LimitReader(plain, maxValue+1))
	if err != nil {
		return "", damaged()
	}
	if len(value) > maxValue {
		return "", &fault{"its value is larger than 1 MiB", "use a smaller value"}
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(value), "\n"), "\r"), nil
}

func damaged() *fault {
	return &fault{"its value is no whole age file", "write the output of age --armor, or that of age in base64, unchanged"}
}

// dearmour returns the binary age file inside of what stands in the repo.
func dearmour(ciphertext string) (io.Reader, error) {
	text := strings.TrimSpace(ciphertext)
	if strings.HasPrefix(text, armor.Header) {
		return armor.NewReader(strings.NewReader(text)), nil
	}
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, err
	}
	return strings.NewReader(string(raw)), nil
}
