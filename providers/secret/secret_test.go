package secret_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/fairlead/fairlead/providers/secret"
	"github.com/fairlead/fairlead/spec"
)

const value = "hunter2-c4n4ry"

// host is a directory that is open to secrets beside one that is not, and age
// identities.
type host struct {
	open, closed string
	identities   string
	recipient    age.Recipient
}

func newHost(t *testing.T) host {
	t.Helper()
	base := t.TempDir()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	h := host{
		open: filepath.Join(base, "open"), closed: filepath.Join(base, "closed"),
		identities: filepath.Join(base, "identities"), recipient: identity.Recipient(),
	}
	for _, dir := range []string{h.open, h.closed} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, h.identities, "# created for a test\n"+identity.String()+"\n")
	return h
}

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func encrypt(t testing.TB, plain string, to age.Recipient) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(plain)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func armoured(t testing.TB, raw []byte) string {
	t.Helper()
	var out bytes.Buffer
	w := armor.NewWriter(&out)
	if _, err := w.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func (h host) resolver(t *testing.T) *secret.Resolver {
	t.Helper()
	r, err := secret.New(secret.Options{AgeIdentities: map[string]string{"": h.identities}, FileRoots: []string{h.open}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEverySourceGivesItsValue(t *testing.T) {
	h := newHost(t)
	write(t, filepath.Join(h.open, "plain"), value)
	write(t, filepath.Join(h.open, "newline"), value+"\n")
	write(t, filepath.Join(h.open, "windows"), value+"\r\n")
	write(t, filepath.Join(h.open, "two-newlines"), value+"\n\n")
	if err := os.Symlink("plain", filepath.Join(h.open, "link")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("FAIRLEAD_SECRET_X", value)
	raw := encrypt(t, value, h.recipient)
	for name, c := range map[string]struct {
		secret spec.Secret
		want   string
	}{
		"a file":                   {spec.Secret{File: filepath.Join(h.open, "plain")}, value},
		"a file with a newline":    {spec.Secret{File: filepath.Join(h.open, "newline")}, value},
		"a file from Windows":      {spec.Secret{File: filepath.Join(h.open, "windows")}, value},
		"a file with two newlines": {spec.Secret{File: filepath.Join(h.open, "two-newlines")}, value + "\n"},
		"a symlink that stays":     {spec.Secret{File: filepath.Join(h.open, "link")}, value},
		"the environment":          {spec.Secret{Env: "FAIRLEAD_SECRET_X"}, value},
		"age, armoured":            {spec.Secret{Age: armoured(t, raw)}, value},
		"age, in base64":           {spec.Secret{Age: base64.StdEncoding.EncodeToString(raw)}, value},
		"age, in indented base64":  {spec.Secret{Age: "  " + base64.StdEncoding.EncodeToString(raw)[:40] + "\n  " + base64.StdEncoding.EncodeToString(raw)[40:] + "\n"}, value},
		"age, of a line":           {spec.Secret{Age: armoured(t, encrypt(t, value+"\n", h.recipient))}, value},
	} {
		t.Run(name, func(t *testing.T) {
			c.secret.Name = "x"
			values, err := h.resolver(t).Resolve(t.Context(), []*spec.Secret{&c.secret})
			if err != nil {
				t.Fatal(err)
			}
			if got := values["x"].Reveal(); got != c.want {
				t.Errorf("got %q; want %q", got, c.want)
			}
		})
	}
}

func TestWhatTheRepoMustNotReadIsRefused(t *testing.T) {
	h := newHost(t)
	secretFile := write(t, filepath.Join(h.closed, "shadow"), value)
	write(t, filepath.Join(h.open, "plain"), value)
	for at, target := range map[string]string{"absolute": secretFile, "relative": "../closed/shadow", "through": h.closed} {
		if err := os.Symlink(target, filepath.Join(h.open, at)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(h.open, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(h.open, "large"), strings.Repeat(value, 100_000))
	public := write(t, filepath.Join(h.open, "public"), value)
	if err := os.Chmod(public, 0o666); err != nil {
		t.Fatal(err)
	}
	t.Setenv("FAIRLEAD_GIT_TOKEN", value)
	t.Setenv("HOME_SECRET", value)
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	raw := encrypt(t, value, h.recipient)
	flipped := bytes.Clone(raw)
	flipped[len(flipped)-3] ^= 1
	for name, c := range map[string]struct {
		secret spec.Secret
		words  []string
	}{
		"a file elsewhere":              {spec.Secret{File: secretFile}, []string{secretFile, h.open}},
		"a path that climbs out":        {spec.Secret{File: h.open + "/../closed/shadow"}, []string{"not in a directory"}},
		"a directory that begins alike": {spec.Secret{File: h.open + "-not/x"}, []string{"not in a directory"}},
		"a relative path":               {spec.Secret{File: "plain"}, []string{"absolute"}},
		"a symlink out":                 {spec.Secret{File: h.open + "/absolute"}, []string{"symlinks"}},
		"a relative symlink out":        {spec.Secret{File: h.open + "/relative"}, []string{"symlinks"}},
		"a directory symlink out":       {spec.Secret{File: h.open + "/through/shadow"}, []string{"symlinks"}},
		"a named pipe":                  {spec.Secret{File: h.open + "/pipe"}, []string{"regular file"}},
		"the directory itself":          {spec.Secret{File: h.open}, []string{"not in a directory"}},
		"a large file":                  {spec.Secret{File: h.open + "/large"}, []string{"1 MiB"}},
		"a file for everybody":          {spec.Secret{File: public}, []string{"everybody", "chmod 600"}},
		"no such file":                  {spec.Secret{File: h.open + "/absent"}, []string{"absent", "create"}},
		"the daemon's own token":        {spec.Secret{Env: "FAIRLEAD_GIT_TOKEN"}, []string{"FAIRLEAD_GIT_TOKEN", "FAIRLEAD_SECRET_"}},
		"another variable":              {spec.Secret{Env: "HOME_SECRET"}, []string{"HOME_SECRET", "operator"}},
		"a variable that is not set":    {spec.Secret{Env: "FAIRLEAD_SECRET_ABSENT"}, []string{"not set"}},
		"age for another key":           {spec.Secret{Age: armoured(t, encrypt(t, value, other.Recipient()))}, []string{"other keys"}},
		"age that is damaged":           {spec.Secret{Age: base64.StdEncoding.EncodeToString(flipped)}, []string{"no whole age file"}},
		"age that is cut short":         {spec.Secret{Age: base64.StdEncoding.EncodeToString(raw[:len(raw)-5])}, []string{"no whole age file"}},
		"clear text for age":            {spec.Secret{Age: value}, []string{"no whole age file"}},
		"nothing":                       {spec.Secret{}, []string{"no source"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.secret.Name = "token"
			c.secret.Pos = spec.Pos{File: "secrets.hcl", Line: 7}
			values, err := h.resolver(t).Resolve(t.Context(), []*spec.Secret{&c.secret})
			if err == nil || values != nil {
				t.Fatalf("got %v, %v; want an error", values, err)
			}
			for _, word := range append(c.words, "secret.token (secrets.hcl:7)") {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("got %q; want %q in it", err, word)
				}
			}
			if strings.Contains(err.Error(), value) {
				t.Errorf("the error shows the value: %s", err)
			}
		})
	}
}

func TestAllOrNothingAndEveryFailureIsListed(t *testing.T) {
	h := newHost(t)
	good := write(t, filepath.Join(h.open, "good"), value)
	values, err := h.resolver(t).Resolve(t.Context(), []*spec.Secret{
		{Name: "good", File: good},
		{Name: "one", Env: "FAIRLEAD_SECRET_NONE", Pos: spec.Pos{File: "a.hcl", Line: 1}},
		{Name: "two", File: "/etc/shadow", Pos: spec.Pos{File: "b.hcl", Line: 2}},
	})
	if err == nil || values != nil {
		t.Fatalf("got %v, %v", values, err)
	}
	for _, word := range []string{"2 of the secrets", "secret.one (a.hcl:1)", "secret.two (b.hcl:2)"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("got %q; want %q in it", err, word)
		}
	}
}

func TestIdentitiesOfTheOperatorAreChecked(t *testing.T) {
	h := newHost(t)
	ciphertext := armoured(t, encrypt(t, value, h.recipient))
	canary := "AGE-SECRET-KEY-1C4N4RYC4N4RY"
	for name, c := range map[string]struct{ file, word string }{
		"none":     {"", "--age-identity"},
		"absent":   {h.identities + "-absent", "no such file"},
		"damaged":  {write(t, h.identities+"-damaged", "# one\n"+canary+"\n"), "-damaged:2"},
		"plugin":   {write(t, h.identities+"-plugin", "AGE-PLUGIN-X-1QQQ\n"), "plugins"},
		"empty":    {write(t, h.identities+"-empty", "# nothing\n"), "no age identity"},
		"a device": {"/dev/zero", "regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := secret.New(secret.Options{AgeIdentities: map[string]string{"": c.file}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = r.Resolve(t.Context(), []*spec.Secret{{Name: "x", Age: ciphertext}})
			if err == nil || !strings.Contains(err.Error(), c.word) {
				t.Errorf("got %v; want an error with %q", err, c.word)
			}
			if strings.Contains(fmt.Sprint(err), "C4N4RY") {
				t.Errorf("the error shows the identity: %v", err)
			}
		})
	}
}

func TestPostQuantumKeysWork(t *testing.T) {
	h := newHost(t)
	identity, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	write(t, h.identities, identity.String()+"\n")
	values, err := h.resolver(t).Resolve(t.Context(), []*spec.Secret{{Name: "x", Age: armoured(t, encrypt(t, value, identity.Recipient()))}})
	if err != nil || values["x"].Reveal() != value {
		t.Errorf("got %v", err)
	}
}

func TestOptionsThatGiveAwayTheHostAreRefused(t *testing.T) {
	for name, o := range map[string]secret.Options{
		"every file":       {FileRoots: []string{"/"}},
		"every file again": {FileRoots: []string{"/etc/.."}},
		"relative root":    {FileRoots: []string{"secrets"}},
		"every variable":   {EnvPrefixes: []string{""}},
	} {
		if _, err := secret.New(o); err == nil {
			t.Errorf("%s: it is allowed", name)
		}
	}
	t.Setenv("FAIRLEAD_GIT_TOKEN", value)
	r, err := secret.New(secret.Options{EnvPrefixes: []string{"F"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Resolve(t.Context(), []*spec.Secret{{Name: "x", Env: "FAIRLEAD_GIT_TOKEN"}}); err == nil {
		t.Error("a wide prefix gives away the daemon's token")
	}
}
