package signature_test

import (
	"bytes"
	"crypto"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// gpgHome is a place for GPG keys. Its path is short, since sockets are in it.
type gpgHome struct {
	t   testing.TB
	dir string
}

func newGPGHome(t testing.TB) *gpgHome {
	t.Helper()
	if _, err := exec.LookPath("gpg"); err != nil {
		t.Skip("gpg is not installed; it is only needed by this test")
	}
	dir, err := os.MkdirTemp("", "gpg")
	if err != nil {
		t.Fatal(err)
	}
	g := &gpgHome{t, dir}
	t.Cleanup(func() {
		kill := exec.Command("gpgconf", "--homedir", dir, "--kill", "all") //nolint:noctx // the context of the test is over
		_ = kill.Run()                                                     // an agent that is gone already is fine
		_ = os.RemoveAll(dir)                                              // what is left lies in the temporary directory
	})
	return g
}

// gpg runs gpg at a time, and returns what it prints and what it tells of its status.
func (g *gpgHome) gpg(at time.Time, input string, args ...string) (out, status string) {
	g.t.Helper()
	args = append([]string{
		"--homedir", g.dir, "--batch", "--yes", "--quiet", "--no-tty", "--passphrase", "", "--pinentry-mode", "loopback",
		"--faked-system-time", at.UTC().Format("20060102T150405"), "--status-fd", "2",
	}, args...)
	cmd := exec.CommandContext(g.t.Context(), "gpg", args...)
	cmd.Stdin = strings.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	printed, err := cmd.Output()
	if err != nil {
		g.t.Fatalf("gpg %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return string(printed), stderr.String()
}

var created = regexp.MustCompile(`KEY_CREATED . ([0-9A-F]{40})`)

// key makes a key; the arguments are those of --quick-generate-key.
func (g *gpgHome) key(at time.Time, name string, args ...string) (fingerprint string) {
	g.t.Helper()
	_, status := g.gpg(at, "", append([]string{"--quick-generate-key", name + " <" + name + "@example.org>"}, args...)...)
	return created.FindStringSubmatch(status)[1]
}

// subkey adds a key for signing that never expires, or after a time.
func (g *gpgHome) subkey(at time.Time, primary, expire string) (fingerprint string) {
	g.t.Helper()
	g.gpg(at, "", "--quick-add-key", primary, "ed25519", "sign", expire)
	listed, _ := g.gpg(at, "", "--list-keys", "--with-colons", "--with-subkey-fingerprint", primary)
	all := regexp.MustCompile(`(?m)^fpr:+([0-9A-F]{40}):`).FindAllStringSubmatch(listed, -1)
	return all[len(all)-1][1]
}

func (g *gpgHome) sign(at time.Time, key, text string, args ...string) string {
	g.t.Helper()
	out, _ := g.gpg(at, text, append([]string{"-bsa", "-u", key + "!"}, args...)...)
	return out
}

func (g *gpgHome) export(key string) string {
	g.t.Helper()
	out, _ := g.gpg(time.Now(), "", "--armor", "--export", key)
	return out
}

// revoke imports the revocation that gpg made along with the key.
func (g *gpgHome) revoke(key string) {
	g.t.Helper()
	data, err := os.ReadFile(g.dir + "/openpgp-revocs.d/" + key + ".rev")
	if err != nil {
		g.t.Fatal(err)
	}
	g.gpg(time.Now(), strings.Replace(string(data), ":-----BEGIN", "-----BEGIN", 1), "--import")
}

func TestGPGSignatures(t *testing.T) {
	g := newGPGHome(t)
	made := time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)
	signing := made.AddDate(0, 1, 0)
	good := func(t *testing.T, key, signer, armored string) reconcile.SignatureCheck {
		t.Helper()
		check := want(t, signed(armored), []spec.Signer{{Name: "none"}, {Name: "ann", GPG: []string{g.export(signer)}}}, reconcile.SignatureGood, "")
		if !strings.EqualFold(check.Key, key) || check.Signer != "ann" {
			t.Errorf("the check is %+v; want ann's key %s", check, key)
		}
		return check
	}
	for name, algorithm := range map[string]string{"Ed25519": "ed25519", "RSA": "rsa2048", "NIST": "nistp256", "Brainpool": "brainpoolP256r1"} {
		t.Run(name, func(t *testing.T) {
			key := g.key(made, name, algorithm, "sign", "never")
			if check := good(t, key, key, g.sign(signing, key, payload)); check.Revoked || !check.Expired.IsZero() {
				t.Errorf("the check is %+v", check)
			}
			good(t, key, key, g.sign(signing, key, payload, "--digest-algo", "SHA256"))
			good(t, key, key, g.sign(signing, key, payload)+"\n")
		})
	}
	t.Run("subkey", func(t *testing.T) {
		primary := g.key(made, "sub", "ed25519", "cert", "never")
		sub := g.subkey(made, primary, "2025-06-01")
		check := good(t, sub, primary, g.sign(signing, sub, payload))
		if day := check.Expired.UTC().Format("2006-01-02"); day != "2025-06-01" {
			t.Errorf("it expires on %s", day)
		}
	})
	t.Run("expired", func(t *testing.T) {
		key := g.key(made, "exp", "ed25519", "sign", "2025-06-01")
		check := good(t, key, key, g.sign(signing, key, payload))
		if day := check.Expired.UTC().Format("2006-01-02"); day != "2025-06-01" {
			t.Errorf("it expires on %s", day)
		}
		// The key as it was after it had been made to last longer, in which the signature
		// was made, and as it was before.
		before := g.export(key)
		g.gpg(signing, "", "--quick-set-expire", key, "2026-01-01")
		late := g.sign(made.AddDate(0, 6, 0), key, payload)
		good(t, key, key, late)
		check = want(t, signed(late), []spec.Signer{{Name: "ann", GPG: []string{before}}}, reconcile.SignatureBad, "after the key had expired")
		if check.Expired.IsZero() {
			t.Error("it is not told when the key expired")
		}
	})
	t.Run("revoked", func(t *testing.T) {
		key := g.key(made, "rev", "ed25519", "sign", "never")
		armored := g.sign(signing, key, payload)
		if check := good(t, key, key, armored); check.Revoked {
			t.Error("it is revoked before it is")
		}
		g.revoke(key)
		if check := good(t, key, key, armored); !check.Revoked {
			t.Error("it is not told that the key is revoked")
		}
	})
	t.Run("extended by a second user id", func(t *testing.T) {
		key := g.key(made, "two", "ed25519", "sign", "2025-06-01")
		g.gpg(signing, "", "--quick-add-uid", key, "two <second@example.org>")
		g.gpg(signing.AddDate(0, 0, 1), "", "--quick-set-expire", key, "2026-01-01")
		if check := good(t, key, key, g.sign(signing.AddDate(0, 0, 2), key, payload)); check.Expired.Year() != 2026 {
			t.Errorf("it expires on %s", check.Expired)
		}
	})

	key := g.key(made, "ann", "rsa2048", "sign", "never")
	signers := []spec.Signer{{Name: "ann", GPG: []string{g.export(key)}}}
	sound := g.sign(signing, key, payload)
	other := g.key(made, "eve", "ed25519", "sign", "never")
	for name, c := range map[string]struct {
		armored string
		state   reconcile.SignatureState
		reason  string
	}{
		"unknown":               {g.sign(signing, other, payload), reconcile.SignatureUnknown, "none of the signers"},
		"other bytes":           {g.sign(signing, key, payload+" "), reconcile.SignatureBad, "other bytes"},
		"SHA-1":                 {g.sign(signing, key, payload, "--digest-algo", "SHA1"), reconcile.SignatureBad, "weak hash SHA-1"},
		"text":                  {g.sign(signing, key, payload, "--textmode"), reconcile.SignatureBad, "type 0x01"},
		"expires":               {g.sign(signing, key, payload, "--default-sig-expire", "2d"), reconcile.SignatureBad, "expires by itself"},
		"critical notation":     {g.sign(signing, key, payload, "--sig-notation", "!a@example.org=b"), reconcile.SignatureBad, "critical notation"},
		"older than its key":    {g.sign(made.AddDate(0, -1, 0), key, payload, "--ignore-time-conflict", "--ignore-valid-from"), reconcile.SignatureBad, "before its key was made"},
		"twice":                 {sound + sound, reconcile.SignatureBad, "base64"},
		"two in one armour":     {g.sign(signing, key, payload, "-u", other+"!"), reconcile.SignatureBad, "more than one"},
		"something after":       {sound + "x\n", reconcile.SignatureBad, "not one whole block"},
		"wrong checksum":        {regexp.MustCompile(`(?m)^=....$`).ReplaceAllString(sound, "=AAAA"), reconcile.SignatureBad, "checksum"},
		"a header of no armour": {strings.Replace(sound, "\n\n", "\nhello\n\n", 1), reconcile.SignatureBad, "end of its headers"},
		"a key for a signature": {strings.ReplaceAll(g.export(key), "PUBLIC KEY BLOCK", "SIGNATURE"), reconcile.SignatureBad, "something else"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.armored == sound {
				t.Fatal("nothing was changed")
			}
			want(t, signed(c.armored), signers, c.state, c.reason)
		})
	}
	t.Run("headers", func(t *testing.T) {
		want(t, signed(strings.Replace(sound, "\n\n", "\nVersion: GnuPG v2\nComment: x\n\n", 1)), signers, reconcile.SignatureGood, "")
		want(t, signed(regexp.MustCompile(`(?m)^=....\n`).ReplaceAllString(sound, "")), signers, reconcile.SignatureGood, "")
	})
}

func TestGPGKeysThatDoNotCount(t *testing.T) {
	g := newGPGHome(t)
	now := time.Now().Add(-time.Hour)
	key := g.key(now, "ann", "ed25519", "sign", "never")
	raw := signed(g.sign(now, key, payload))
	sound := g.export(key)
	secret, _ := g.gpg(now, "", "--armor", "--export-secret-keys", key)
	for name, c := range map[string]struct{ text, reason string }{
		"nothing":     {"", "one whole block"},
		"a signature": {g.sign(now, key, payload), "one whole block"},
		"two blocks":  {sound + sound, "base64"},
		"cut short":   {strings.Replace(sound, "\n\n", "\n\nmDM", 1), "GPG key 1 of the signer ann"},
		"private":     {strings.ReplaceAll(secret, "PRIVATE", "PUBLIC"), "take it out at once"},
	} {
		t.Run(name, func(t *testing.T) {
			want(t, raw, []spec.Signer{{Name: "ann", GPG: []string{c.text}}}, reconcile.SignatureUnknown, c.reason)
		})
	}
	weak := g.key(now, "weak", "rsa1024", "sign", "never")
	want(t, signed(g.sign(now, weak, payload)), []spec.Signer{{Name: "weak", GPG: []string{g.export(weak)}}}, reconcile.SignatureBad, "1024 bits")
	dsa := g.key(now, "dsa", "dsa2048", "sign", "never")
	want(t, signed(g.sign(now, dsa, payload, "--digest-algo", "SHA256")), []spec.Signer{{Name: "dsa", GPG: []string{g.export(dsa)}}}, reconcile.SignatureBad, "not accepted")
}

// gpg itself would not sign with such a key.
func TestAPrimaryKeyThatIsNotForSigningDoesNotCount(t *testing.T) {
	for sign, state := range map[bool]reconcile.SignatureState{true: reconcile.SignatureGood, false: reconcile.SignatureBad} {
		config := &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA}
		entity, err := openpgp.NewEntity("Ann", "", "ann@example.org", config)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range entity.Identities {
			id.SelfCertifications[0].Packet.FlagSign = sign
			if err := id.ReSign(config); err != nil {
				t.Fatal(err)
			}
		}
		made := &packet.Signature{
			Version: 4, SigType: packet.SigTypeBinary, PubKeyAlgo: entity.PrimaryKey.PubKeyAlgo, Hash: crypto.SHA256,
			CreationTime: time.Now(), IssuerKeyId: &entity.PrimaryKey.KeyId,
		}
		hash := crypto.SHA256.New()
		hash.Write([]byte(payload))
		if err := made.Sign(hash, entity.PrivateKey, config); err != nil {
			t.Fatal(err)
		}
		signature := armored(t, "PGP SIGNATURE", made.Serialize)
		key := armored(t, "PGP PUBLIC KEY BLOCK", entity.Serialize)
		reason := ""
		if !sign {
			reason = "not for signing"
		}
		want(t, signed(signature), []spec.Signer{{Name: "ann", GPG: []string{key}}}, state, reason)
	}
}

func armored(t *testing.T, kind string, serialize func(io.Writer) error) string {
	t.Helper()
	var text bytes.Buffer
	into, err := armor.Encode(&text, kind, nil)
	if err == nil {
		err = errors.Join(serialize(into), into.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	return text.String()
}
