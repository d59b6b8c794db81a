package signature_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"strings"
	"testing"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"github.com/fairlead/fairlead/providers/git/signature"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// sshKey makes a key and returns the name of its file.
func (k *tools) sshKey(name string, args ...string) string {
	k.t.Helper()
	k.run("", "ssh-keygen", append([]string{"-q", "-N", "", "-C", name, "-f", name}, args...)...)
	return name
}

// sshSign signs as git does.
func (k *tools) sshSign(key, namespace, text string, args ...string) string {
	k.t.Helper()
	return k.run(text, "ssh-keygen", append([]string{"-Y", "sign", "-n", namespace, "-f", key}, args...)...)
}

func TestSSHSignatures(t *testing.T) {
	k := newTools(t, "ssh-keygen")
	ann := k.sshKey("ann", "-t", "ed25519")
	bob := k.sshKey("bob", "-t", "ecdsa")
	cid := k.sshKey("cid", "-t", "rsa", "-b", "2048")
	old := k.sshKey("old", "-t", "rsa", "-b", "1024")
	eve := k.sshKey("eve", "-t", "ed25519")
	signers := []spec.Signer{
		{Name: "ann", SSH: []string{k.read("ann.pub")}},
		{Name: "bob", SSH: []string{"ssh-ed25519 nonsense", k.read("bob.pub")}},
		{Name: "cid", SSH: []string{strings.TrimSpace(k.read("cid.pub"))}},
		{Name: "old", SSH: []string{k.read("old.pub")}},
	}
	for _, name := range []string{ann, bob, cid} {
		check := want(t, signed(k.sshSign(name, "git", payload)), signers, reconcile.SignatureGood, "")
		if listed := k.run("", "ssh-keygen", "-l", "-f", name); check.Signer != name || !strings.Contains(listed, " "+check.Key+" ") {
			t.Errorf("the check is %+v; want the signer %s and the key in %s", check, name, listed)
		}
	}
	want(t, signed(k.sshSign(ann, "git", payload, "-O", "hashalg=sha256")), signers, reconcile.SignatureGood, "")
	good := k.sshSign(ann, "git", payload)
	want(t, signed(good+"\n\n"), signers, reconcile.SignatureGood, "")

	want(t, signed(k.sshSign(eve, "git", payload)), signers, reconcile.SignatureUnknown, "SSH key 1 of the signer bob")
	want(t, signed(k.sshSign(ann, "file", payload)), signers, reconcile.SignatureBad, `made for "file"`)
	want(t, signed(k.sshSign(old, "git", payload)), signers, reconcile.SignatureBad, "1024 bits")
	want(t, signed(k.sshSign(ann, "git", payload+" ")), signers, reconcile.SignatureBad, "other bytes")
	want(t, signed(k.sshSign(eve, "git", payload+" ")), signers, reconcile.SignatureBad, "other bytes")
	want(t, signed(good+"x"), signers, reconcile.SignatureBad, "not one whole block")
	want(t, signed(good+good), signers, reconcile.SignatureBad, "base64")
	want(t, signed("x\n"+good), signers, reconcile.SignatureBad, `begins with "x"`)
	want(t, signed(strings.ReplaceAll(good, "SSH SIGNATURE", "PGP SIGNATURE")), signers, reconcile.SignatureBad, "headers")
	want(t, signed(strings.Replace(good, "\n-----END", "AAAA\n-----END", 1)), signers, reconcile.SignatureBad, "")
}

func TestKeysOfSignersThatDoNotReadCountForNothing(t *testing.T) {
	k := newTools(t, "ssh-keygen")
	ann := k.sshKey("ann", "-t", "ed25519")
	raw := signed(k.sshSign(ann, "git", payload))
	line := k.read("ann.pub")
	for name, text := range map[string]string{
		"empty": "", "two lines": line + line, "an authority": "cert-authority " + line, "options": `namespaces="git" ` + line,
	} {
		t.Run(name, func(t *testing.T) {
			want(t, raw, []spec.Signer{{Name: "ann", SSH: []string{text}}}, reconcile.SignatureUnknown, "SSH key 1 of the signer ann: it")
		})
	}
}

func TestCertificatesAreRefused(t *testing.T) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certificate := &ssh.Certificate{Key: signer.PublicKey(), CertType: ssh.UserCert, ValidBefore: ssh.CertTimeInfinity}
	if err := certificate.SignCert(rand.Reader, signer); err != nil {
		t.Fatal(err)
	}
	certified, err := ssh.NewCertSigner(certificate, signer)
	if err != nil {
		t.Fatal(err)
	}
	made, err := sshsig.Sign(strings.NewReader(payload), certified, sshsig.HashSHA512, "git")
	if err != nil {
		t.Fatal(err)
	}
	signers := []spec.Signer{{Name: "ann", SSH: []string{string(ssh.MarshalAuthorizedKey(signer.PublicKey()))}}}
	want(t, signed(string(sshsig.Armor(made))), signers, reconcile.SignatureBad, "certificate")
}

func TestGitVerifiesWhatASignerSigns(t *testing.T) {
	k := newTools(t, "ssh-keygen", "git")
	k.run("", "ssh-keygen", "-q", "-t", "ed25519", "-N", "open sesame", "-f", "bot")
	signer, err := signature.NewSigner(k.dir+"/bot", k.write("phrase", "open sesame\n"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(k.read("bot.pub"), signer.PublicKey()+" ") || !strings.Contains(k.run("", "ssh-keygen", "-l", "-f", "bot"), signer.Fingerprint()) {
		t.Errorf("the public key is %s and its fingerprint %s", signer.PublicKey(), signer.Fingerprint())
	}
	k.run("", "git", "init", "-q")
	k.write("allowed", "bot@example.org "+signer.PublicKey()+"\n")
	k.run("", "git", "config", "gpg.ssh.allowedSignersFile", k.dir+"/allowed")
	orphan := strings.Replace(payload, "parent 9c7f3a2c3a9e7e4a2b8d7b7f3a2c3a9e7e4a2b8d\n", "", 1)
	raw, err := signer.SignCommit([]byte(orphan))
	if err != nil {
		t.Fatal(err)
	}
	id := strings.TrimSpace(k.run(string(raw), "git", "hash-object", "-t", "commit", "-w", "--stdin"))
	k.run("", "git", "verify-commit", id)
	check := want(t, string(raw), []spec.Signer{{Name: "bot", SSH: []string{signer.PublicKey()}}}, reconcile.SignatureGood, "")
	if check.Key != signer.Fingerprint() {
		t.Errorf("the key is %s; want %s", check.Key, signer.Fingerprint())
	}

	tag := "object " + id + "\ntype commit\ntag v1\ntagger Bot <bot@example.org> 1760000000 +0000\n\nv1\n"
	armored, err := signer.Sign([]byte(tag))
	if err != nil {
		t.Fatal(err)
	}
	id = strings.TrimSpace(k.run(tag+armored, "git", "hash-object", "-t", "tag", "-w", "--stdin"))
	k.run("", "git", "verify-tag", id)
	signers := []spec.Signer{{Name: "bot", SSH: []string{signer.PublicKey()}}}
	want(t, tag+armored, signers, reconcile.SignatureGood, "")
	want(t, tag+armored+armored, signers, reconcile.SignatureBad, "2 beginnings")
	want(t, tag+armored+"more\n", signers, reconcile.SignatureBad, "not one whole block")
	want(t, strings.Replace(tag, "tag v1", "tag v2", 1)+armored, signers, reconcile.SignatureBad, "other bytes")
	want(t, strings.Replace(tag, "\n\n", "\ngpgsig x\n\n", 1)+armored, signers, reconcile.SignatureBad, "gpgsig")
}

func TestNewSignerSaysWhatIsWrongWithAKey(t *testing.T) {
	k := newTools(t, "ssh-keygen")
	k.sshKey("weak", "-t", "rsa", "-b", "1024")
	k.run("", "ssh-keygen", "-q", "-t", "ed25519", "-N", "open sesame", "-f", "locked")
	k.write("phrase", "close sesame")
	k.write("junk", "no key")
	k.write("large", strings.Repeat("x", 70_000))
	for _, c := range []struct{ key, phrase, words string }{
		{"weak", "", "1024 bits"},
		{"locked", "", "name the file"},
		{"locked", "phrase", "does not open it"},
		{"locked", "none", "none"},
		{"junk", "", "no private SSH key"},
		{"large", "", "larger than"},
		{"missing", "", "missing"},
	} {
		phrase := c.phrase
		if phrase != "" {
			phrase = k.dir + "/" + phrase
		}
		_, err := signature.NewSigner(k.dir+"/"+c.key, phrase)
		if err == nil || !strings.Contains(err.Error(), c.words) || strings.Contains(err.Error(), "sesame") {
			t.Errorf("the error for %s is %v; want %q in it", c.key, err, c.words)
		}
	}
}
