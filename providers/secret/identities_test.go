package secret_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/fairlead/fairlead/providers/secret"
	"github.com/fairlead/fairlead/spec"
)

// composed is a host with a root and the includes a and b, each with a key of its own,
// and a secret of each by age. The include c has none.
type composed struct {
	files   map[string]string // of identities, by module
	keys    map[string]*age.X25519Identity
	secrets map[string]string // ciphertexts, by module
}

func newComposed(t *testing.T) *composed {
	t.Helper()
	c := &composed{files: map[string]string{}, keys: map[string]*age.X25519Identity{}, secrets: map[string]string{}}
	dir := t.TempDir()
	for _, module := range []string{"", "a", "b"} {
		key, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		c.keys[module] = key
		c.files[module] = write(t, filepath.Join(dir, "of-"+module), "# "+module+"\n"+key.String()+"\n")
		c.secrets[module] = armoured(t, encrypt(t, "value of "+module, key.Recipient()))
	}
	return c
}

func (c *composed) resolver(t *testing.T) *secret.Resolver {
	t.Helper()
	r, err := secret.New(secret.Options{AgeIdentities: c.files})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// failed is why a secret could not be had.
func failed(t *testing.T, r *secret.Resolver, s *spec.Secret) string {
	t.Helper()
	values, err := r.Resolve(t.Context(), []*spec.Secret{s})
	if err == nil {
		t.Fatalf("it gives %q", values[s.Name].Reveal())
	}
	problem, is := errors.AsType[*secret.Error](err)
	if !is || len(problem.Failures) != 1 {
		t.Fatalf("got %v", err)
	}
	return err.Error()
}

// A ciphertext that was copied into another repo gives that repo nothing.
func TestSecretsOfOneModuleAreNotThoseOfAnother(t *testing.T) {
	c := newComposed(t)
	r := c.resolver(t)
	for of, ciphertext := range c.secrets {
		for _, by := range []string{"", "a", "b", "c"} {
			s := &spec.Secret{Name: "x", Module: by, Age: ciphertext}
			if by == of {
				values, err := r.Resolve(t.Context(), []*spec.Secret{s})
				if err != nil || values["x"].Reveal() != "value of "+of {
					t.Errorf("%q has not its own secret: %v", of, err)
				}
				continue
			}
			got := failed(t, r, s)
			if want := map[string]string{
				"": "other keys than those of this host", "a": "other keys than those of include a", "b": "other keys than those of include b", "c": "takes no other for them (there are keys for a, b); the operator starts serve with --age-identity c=FILE",
			}[by]; !strings.Contains(got, want) {
				t.Errorf("%q with the secret of %q: got %q; want %q in it", by, of, got, want)
			}
		}
	}
	// All at once they keep apart as well.
	var all []*spec.Secret
	for of, ciphertext := range c.secrets {
		all = append(all, &spec.Secret{Name: "x" + of, Module: of, Age: ciphertext})
	}
	values, err := r.Resolve(t.Context(), all)
	if err != nil || values["x"].Reveal() != "value of " || values["xa"].Reveal() != "value of a" || values["xb"].Reveal() != "value of b" {
		t.Errorf("got %v", err)
	}
	all = append(all, &spec.Secret{Name: "stolen", Module: "b", Age: c.secrets[""]})
	if values, err := r.Resolve(t.Context(), all); err == nil || len(values) > 0 {
		t.Errorf("got %v, %v", values, err)
	}
}

// The same of files that are encrypted with SOPS: by key, whole, and with the key of an
// include added to it in clear text.
func TestSOPSFilesOfOneModuleAreNotThoseOfAnother(t *testing.T) {
	c := newComposed(t)
	c.files[""] = filepath.Join(fixtures, "identity.txt")
	r := c.resolver(t)
	for _, key := range []string{"db.password", ""} {
		file := &spec.SOPS{Path: "db.yaml", Key: key, Data: fixture(t, "db.yaml")}
		if _, err := r.Resolve(t.Context(), []*spec.Secret{{Name: "x", SOPS: file}}); err != nil {
			t.Errorf("the root has not its own secret: %v", err)
		}
		for module, want := range map[string]string{"a": "other keys than those of include a", "c": "--age-identity c=FILE"} {
			if got := failed(t, r, &spec.Secret{Name: "x", Module: module, SOPS: file}); !strings.Contains(got, want) {
				t.Errorf("%s: got %q; want %q in it", module, got, want)
			}
		}
	}
	forged := replace(t, "db.yaml", `recipient: age1[0-9a-z]+`, "recipient: "+c.keys["a"].Recipient().String())
	failed(t, r, &spec.Secret{Name: "x", Module: "a", SOPS: &spec.SOPS{Path: "db.yaml", Key: "db.password", Data: forged}})
	// For several keys it is who encrypted it that says so.
	both := &spec.SOPS{Path: "both.yaml", Key: "password", Data: fixture(t, "both.yaml")}
	c.files["a"], c.files[""] = c.files[""], c.files["a"]
	if _, err := c.resolver(t).Resolve(t.Context(), []*spec.Secret{{Name: "x", Module: "a", SOPS: both}}); err != nil {
		t.Error(err)
	}
}

func TestWhatLiesOnTheHostIsForTheRootAlone(t *testing.T) {
	h := newHost(t)
	path := write(t, filepath.Join(h.open, "plain"), value)
	t.Setenv("FAIRLEAD_SECRET_X", value)
	for _, s := range []*spec.Secret{{Name: "x", Module: "a", File: path}, {Name: "x", Module: "a", Env: "FAIRLEAD_SECRET_X"}} {
		if got := failed(t, h.resolver(t), s); !strings.Contains(got, "for the root alone") {
			t.Errorf("got %q", got)
		}
	}
}

// One key for two would undo it. Of two files with one key it is the include that is
// refused, as the root composes it.
func TestOneKeyForTwoModulesIsRefused(t *testing.T) {
	c := newComposed(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(c.files[""], link); err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string]map[string]string{
		"root and include": {"": c.files[""], "a": c.files[""]},
		"two includes":     {"a": c.files["a"], "b": c.files["a"]},
		"a symlink":        {"": c.files[""], "a": link},
	} {
		if _, err := secret.New(secret.Options{AgeIdentities: files}); err == nil || !strings.Contains(err.Error(), "age-keygen") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, line := range map[string]string{"a copy": c.keys[""].String(), "between others": c.keys["b"].String() + "\r\n" + c.keys[""].String()} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"": c.files[""], "a": write(t, filepath.Join(t.TempDir(), "copy"), "# mine\n  "+line+"\n")}
			r, err := secret.New(secret.Options{AgeIdentities: files})
			if err != nil {
				t.Fatal(err)
			}
			got := failed(t, r, &spec.Secret{Name: "x", Module: "a", Age: c.secrets[""]})
			if !strings.Contains(got, "a key that the root has as well") || strings.Contains(strings.ToUpper(got), "AGE-SECRET-KEY-1Q") {
				t.Errorf("got %q", got)
			}
			values, err := r.Resolve(t.Context(), []*spec.Secret{{Name: "x", Age: c.secrets[""]}})
			if err != nil || values["x"].Reveal() != "value of " {
				t.Errorf("the root has not its own secret: %v", err)
			}
		})
	}
}

// What is wrong with the key of one module is nobody else's affair.
func TestAMissingKeyOfOneModuleStopsNoOther(t *testing.T) {
	c := newComposed(t)
	if err := os.Remove(c.files["a"]); err != nil {
		t.Fatal(err)
	}
	r := c.resolver(t)
	for _, of := range []string{"", "b"} {
		if _, err := r.Resolve(t.Context(), []*spec.Secret{{Name: "x", Module: of, Age: c.secrets[of]}}); err != nil {
			t.Error(err)
		}
	}
	if got := failed(t, r, &spec.Secret{Name: "x", Module: "a", Age: c.secrets["a"]}); !strings.Contains(got, "the identities of include a cannot be read") {
		t.Errorf("got %q", got)
	}
}

func BenchmarkSecretOfOneIncludeOfMany(b *testing.B) {
	files := map[string]string{}
	var last *age.X25519Identity
	for i := range 64 {
		key, err := age.GenerateX25519Identity()
		if err != nil {
			b.Fatal(err)
		}
		name := fmt.Sprintf("i%d", i)
		files[name], last = filepath.Join(b.TempDir(), name), key
		if err := os.WriteFile(files[name], []byte(key.String()), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	r, err := secret.New(secret.Options{AgeIdentities: files})
	if err != nil {
		b.Fatal(err)
	}
	s := []*spec.Secret{{Name: "x", Module: "i63", Age: armoured(b, encrypt(b, "x", last.Recipient()))}}
	for b.Loop() {
		if _, err := r.Resolve(b.Context(), s); err != nil {
			b.Fatal(err)
		}
	}
}
