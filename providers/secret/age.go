package secret

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// keyring decrypts the age and SOPS secrets of one Resolve. It reads the identities when
// the first one needs them.
type keyring struct {
	file       string
	loaded     bool
	identities []age.Identity
	fault      *fault
}

// load reads the identities, once.
func (k *keyring) load() *fault {
	if !k.loaded {
		k.identities, k.fault = loadIdentities(k.file)
		k.loaded = true
	}
	return k.fault
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
			"it is encrypted for other keys than those of this host",
			fmt.Sprintf("encrypt it again for a recipient of %s (age-keygen -y prints it)", k.file),
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

// loadIdentities reads the operator's identities, one on each line. They are
// parsed one by one so that a message can name the line without its text.
func loadIdentities(file string) ([]age.Identity, *fault) {
	if file == "" {
		return nil, &fault{"this host has no identity to decrypt age and SOPS secrets with", "start serve with --age-identity FILE (age-keygen makes one)"}
	}
	text, err := readIdentities(file)
	if err != nil {
		return nil, &fault{fmt.Sprintf("the identities of this host cannot be read: %s: %s", file, plain(err)), "check the file that --age-identity names"}
	}
	var identities []age.Identity
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parsed, err := age.ParseIdentities(strings.NewReader(line))
		if err != nil {
			return nil, &fault{
				fmt.Sprintf("%s:%d is no age identity", file, i+1),
				"keep lines of the form AGE-SECRET-KEY-1... as age-keygen writes them; plugins and ssh keys are not supported",
			}
		}
		identities = append(identities, parsed...)
	}
	if len(identities) == 0 {
		return nil, &fault{fmt.Sprintf("%s holds no age identity", file), "put the output of age-keygen into it"}
	}
	return identities, nil
}

// readIdentities reads the operator's file. Its path is the operator's word, so
// it may be anywhere; it still must be a file of a sane size.
func readIdentities(file string) (string, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // read only
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("it is no regular file")
	}
	text, err := io.ReadAll(io.LimitReader(f, maxValue+1))
	if err != nil {
		return "", err
	}
	if len(text) > maxValue {
		return "", errors.New("it is larger than 1 MiB")
	}
	return string(text), nil
}
