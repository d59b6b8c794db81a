package signature_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/providers/git/signature"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// payload is an unsigned commit.
const payload = `tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904
parent 9c7f3a2c3a9e7e4a2b8d7b7f3a2c3a9e7e4a2b8d
author Ann <ann@example.org> 1760000000 +0000
committer Ann <ann@example.org> 1760000000 +0000

digits: two more replicas

It is slow on Mondays.
`

// signed puts an armoured signature into the header of the payload.
func signed(armored string) string {
	folded := strings.ReplaceAll(strings.TrimSuffix(armored, "\n"), "\n", "\n ")
	return strings.Replace(payload, "\n\n", "\ngpgsig "+folded+"\n\n", 1)
}

// tools are the programs that make keys and signatures, with a place for them.
type tools struct {
	t   testing.TB
	dir string
}

func newTools(t testing.TB, programs ...string) *tools {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed; it is only needed by this test", program)
		}
	}
	return &tools{t, t.TempDir()}
}

// run runs a program and returns what it prints.
func (k *tools) run(input, program string, args ...string) string {
	k.t.Helper()
	cmd := exec.CommandContext(k.t.Context(), program, args...)
	cmd.Dir = k.dir
	cmd.Stdin = strings.NewReader(input)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		k.t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, &stderr)
	}
	return string(out)
}

func (k *tools) read(name string) string {
	k.t.Helper()
	data, err := os.ReadFile(filepath.Join(k.dir, name))
	if err != nil {
		k.t.Fatal(err)
	}
	return string(data)
}

func (k *tools) write(name, content string) string {
	k.t.Helper()
	path := filepath.Join(k.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		k.t.Fatal(err)
	}
	return path
}

// want verifies and compares the state; reason is a part of what is said.
func want(t *testing.T, raw string, signers []spec.Signer, state reconcile.SignatureState, reason string) reconcile.SignatureCheck {
	t.Helper()
	var v signature.Verifier
	check := v.Verify([]byte(raw), signers)
	if check.State != state || !strings.Contains(check.Reason, reason) {
		t.Errorf("the check is %+v; want %s with %q", check, state, reason)
	}
	if again := v.Verify([]byte(raw), signers); again != check {
		t.Errorf("the second check is %+v, the first was %+v", again, check)
	}
	return check
}

func TestUnsoundObjectsAreBad(t *testing.T) {
	sound := signed("-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n")
	header := sound[strings.Index(sound, "gpgsig"):strings.Index(sound, "\n\n")] + "\n"
	for name, c := range map[string]struct{ raw, reason string }{
		"two signatures":         {strings.Replace(sound, "gpgsig", header+"gpgsig", 1), "2 signatures"},
		"a signature by SHA-256": {strings.Replace(sound, "gpgsig", "gpgsig-sha256", 1), "gpgsig-sha256"},
		"both kinds":             {strings.Replace(sound, "gpgsig", "gpgsig-sha256 x\ngpgsig", 1), "gpgsig-sha256"},
		"NUL":                    {sound + "\x00", "NUL"},
		"two trees":              {strings.Replace(sound, "parent", "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nparent", 1), "2 times tree"},
		"a tree at the end":      {strings.Replace(sound, "gpgsig", "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\ngpgsig", 1), "tree again"},
		"a late parent":          {strings.Replace(sound, "gpgsig", "parent 4b825dc642cb6eb9a060e54bf8d69288fbee4904\ngpgsig", 1), "parent again"},
		"no committer":           {strings.Replace(sound, "committer", "omitter", 1), "committer"},
		"a line without a name":  {strings.Replace(sound, "gpgsig", "\tx\ngpgsig", 1), "no header"},
		"a folded tree":          {strings.Replace(sound, "\nparent", "\n x\nparent", 1), "more than one line"},
		"a space first":          {" " + sound, "begins with a space"},
		"no end":                 {strings.TrimSpace(sound[:strings.Index(sound, "\n\n")]), "no end"},
		"a blob":                 {"hello world\n\n", "neither"},
		"nothing":                {"", "no end"},
		"X.509":                  {signed("-----BEGIN SIGNED MESSAGE-----\nAAAA\n-----END SIGNED MESSAGE-----\n"), "X.509"},
		"cleartext":              {signed("-----BEGIN PGP SIGNED MESSAGE-----\nAAAA\n-----END PGP SIGNED MESSAGE-----\n"), "PGP SIGNED MESSAGE"},
		"something else":         {signed("hello\n"), "hello"},
		"an empty signature":     {signed("\n"), "begins with"},
		"an empty armour":        {signed("-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n"), "not one whole block"},
		"an empty GPG armour":    {signed("-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----\n"), "end of its headers"},
		"a huge signature":       {signed("-----BEGIN SSH SIGNATURE-----\n" + strings.Repeat("A", 70_000) + "\n-----END SSH SIGNATURE-----\n"), "longer than"},
	} {
		t.Run(name, func(t *testing.T) { want(t, c.raw, nil, reconcile.SignatureBad, c.reason) })
	}
}

func TestUnsignedIsNoSignature(t *testing.T) {
	want(t, payload, nil, reconcile.SignatureNone, "not signed")
	want(t, strings.Replace(payload, "\n\n", "\n\n-----BEGIN SSH SIGNATURE-----\n", 1), nil, reconcile.SignatureNone, "not signed")
	want(t, "object 4b825dc642cb6eb9a060e54bf8d69288fbee4904\ntype commit\ntag v1\ntagger Ann <a@b> 1 +0000\n\nv1\n", nil, reconcile.SignatureNone, "not signed")
}
