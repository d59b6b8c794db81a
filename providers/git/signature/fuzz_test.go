package signature

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// fuzzed is a set of signed objects, and who signed them.
type fuzzed struct {
	objects [][]byte
	signers []spec.Signer
}

// newFuzzed reads a commit and a tag, each signed with SSH and with GPG, and the keys.
// They are files, since each process that fuzzes has to know the same.
func newFuzzed(t testing.TB) fuzzed {
	t.Helper()
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	f := fuzzed{signers: []spec.Signer{{Name: "bot", SSH: []string{string(read("ssh.pub"))}}, {Name: "ann", GPG: []string{string(read("gpg.pub"))}}}}
	for _, name := range []string{"ssh.commit", "ssh.tag", "gpg.commit", "gpg.tag"} {
		f.objects = append(f.objects, read(name))
	}
	return f
}

// check fails if anything is taken for good that was not signed so.
func (f fuzzed) check(v *Verifier, raw []byte) error {
	check := v.Verify(raw, f.signers)
	switch check.State {
	case reconcile.SignatureNone, reconcile.SignatureUnknown, reconcile.SignatureBad:
		if check.Reason == "" || check.Signer != "" {
			return fmt.Errorf("%+v has no reason, or a signer", check)
		}
		return nil
	case reconcile.SignatureGood:
	default:
		return fmt.Errorf("%q is no state", check.State)
	}
	payload, _, err := cut(raw)
	if err != nil {
		return fmt.Errorf("it is good and does not parse: %w", err)
	}
	for _, object := range f.objects {
		if signed, _, err := cut(object); err == nil && bytes.Equal(signed, payload) {
			return nil
		}
	}
	return fmt.Errorf("a payload is good that nobody signed:\n%s", payload)
}

func TestSoundObjectsOfTheFuzzerAreGood(t *testing.T) {
	f := newFuzzed(t)
	for _, object := range f.objects {
		if check := new(Verifier).Verify(object, f.signers); check.State != reconcile.SignatureGood {
			t.Errorf("the check is %+v of\n%s", check, object)
		}
	}
}

func TestNoChangeOfOneByteIsTakenForGood(t *testing.T) {
	f := newFuzzed(t)
	var v Verifier
	for _, object := range f.objects {
		for i := range object {
			for _, with := range []byte{object[i] ^ 1, object[i] ^ 0x20, object[i] ^ 0x80, 0, ' ', '\n', '='} {
				if with == object[i] {
					continue
				}
				changed := bytes.Clone(object)
				changed[i] = with
				if err := f.check(&v, changed); err != nil {
					t.Fatalf("byte %d: %v", i, err)
				}
			}
			if err := f.check(&v, append(bytes.Clone(object[:i]), object[i+1:]...)); err != nil {
				t.Fatalf("without byte %d: %v", i, err)
			}
			if err := f.check(&v, object[:i]); err != nil {
				t.Fatalf("cut after byte %d: %v", i, err)
			}
		}
	}
}

// FuzzVerify looks for changed payloads that are taken for good, and for panics that
// are not caught.
func FuzzVerify(fuzz *testing.F) {
	f := newFuzzed(fuzz)
	for _, object := range f.objects {
		fuzz.Add(object)
	}
	var v Verifier
	fuzz.Fuzz(func(t *testing.T, raw []byte) {
		if err := f.check(&v, raw); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzKeys looks for keys of signers on which reading panics.
func FuzzKeys(fuzz *testing.F) {
	f := newFuzzed(fuzz)
	fuzz.Add(f.signers[0].SSH[0])
	fuzz.Add(f.signers[1].GPG[0])
	fuzz.Fuzz(func(t *testing.T, text string) {
		var v Verifier
		for _, object := range f.objects {
			check := v.Verify(object, []spec.Signer{{Name: "eve", SSH: []string{text}, GPG: []string{text}}})
			if strings.Contains(check.Reason, "failed: ") {
				t.Fatalf("reading the key panicked: %s", check.Reason)
			}
		}
	})
}
