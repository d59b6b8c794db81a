package secret

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"

	"filippo.io/age"
)

// identityFiles are the operator's files with age identities, by module. A key that two
// modules had would let the one decrypt what was encrypted for the other: whoever can
// read a ciphertext there could declare it here.
type identityFiles map[string]string

// check refuses one file for several modules. That several files hold one key shows when
// they are read.
func (f identityFiles) check() error {
	of := map[string]string{} // module by file
	for _, module := range slices.Sorted(maps.Keys(f)) {
		file := f[module]
		if file == "" {
			continue
		}
		for other, of := range of {
			if sameFile(other, file) {
				return fmt.Errorf("%s has the age identities of %s and of %s, so the one could decrypt what was encrypted for the other; make a key for each: age-keygen -o FILE", file, moduleWords(of), moduleWords(module))
			}
		}
		of[file] = module
	}
	return nil
}

func sameFile(a, b string) bool {
	if a == b {
		return true
	}
	left, err := os.Stat(a)
	right, otherErr := os.Stat(b)
	return err == nil && otherErr == nil && os.SameFile(left, right)
}

// moduleWords names a module in a sentence.
func moduleWords(module string) string {
	if module == "" {
		return "the root"
	}
	return "include " + module
}

// load reads the identities of a module. They are parsed one by one so that a message
// can name the line without its text.
func (f identityFiles) load(module string) ([]age.Identity, *fault) {
	file := f[module]
	if file == "" {
		return nil, f.noIdentity(module)
	}
	text, err := readIdentities(file)
	if err != nil {
		return nil, &fault{fmt.Sprintf("the identities of %s cannot be read: %s: %s", moduleWords(module), file, plain(err)), "check the file that --age-identity names"}
	}
	var identities []age.Identity
	for i, line := range identityLines(text) {
		parsed, err := age.ParseIdentities(strings.NewReader(line))
		if err != nil {
			return nil, &fault{
				fmt.Sprintf("%s:%d is no age identity", file, i),
				"keep lines of the form AGE-SECRET-KEY-1... as age-keygen writes them; plugins and ssh keys are not supported",
			}
		}
		identities = append(identities, parsed...)
	}
	if len(identities) == 0 {
		return nil, &fault{fmt.Sprintf("%s holds no age identity", file), "put the output of age-keygen into it"}
	}
	if twin, shared := f.shared(module, text); shared {
		return nil, &fault{
			fmt.Sprintf("%s holds a key that %s has as well, and could decrypt what was encrypted for that", file, moduleWords(twin)),
			fmt.Sprintf("make a key for %s alone (age-keygen), and encrypt its secrets again", moduleWords(module)),
		}
	}
	return identities, nil
}

func (f identityFiles) noIdentity(module string) *fault {
	if module == "" {
		return &fault{"this host has no identity to decrypt age and SOPS secrets with", "start serve with --age-identity FILE (age-keygen makes one)"}
	}
	others := ""
	for _, of := range slices.Sorted(maps.Keys(f)) {
		if of != "" {
			others += ", " + of
		}
	}
	if others != "" {
		others = " (there are keys for " + strings.TrimPrefix(others, ", ") + ")"
	}
	return &fault{
		fmt.Sprintf("this host has no identity to decrypt the secrets of include %s with, and takes no other for them%s", module, others),
		fmt.Sprintf("the operator starts serve with --age-identity %s=FILE (age-keygen makes one), and who keeps that repo encrypts its secrets for that (age-keygen -y FILE prints the recipient)", module),
	}
}

// shared finds another module that has one of the identities in a text. It is the include
// that has no use of such a key: the root may well read what it composes.
func (f identityFiles) shared(module, text string) (twin string, shared bool) {
	if module == "" {
		return "", false
	}
	mine := map[string]bool{}
	for _, line := range identityLines(text) {
		mine[line] = true // age reads it in capital letters only
	}
	for _, other := range slices.Sorted(maps.Keys(f)) {
		if other == module {
			continue
		}
		theirs, err := readIdentities(f[other])
		if err != nil {
			continue // nothing is decrypted with it either
		}
		for _, line := range identityLines(theirs) {
			if mine[line] {
				return other, true
			}
		}
	}
	return "", false
}

// identityLines are the lines with identities, by their number from 1.
func identityLines(text string) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		number := 0
		for line := range strings.Lines(text) {
			number++
			line = strings.TrimSpace(line)
			if line != "" && !strings.HasPrefix(line, "#") && !yield(number, line) {
				return
			}
		}
	}
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
