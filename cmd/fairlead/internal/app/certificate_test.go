package app

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fairlead/fairlead/reconcile"
)

func TestGatewayGetsACopyOfTheCertificateThatFollowsTheOriginal(t *testing.T) {
	dir := t.TempDir()
	c := Config{Data: filepath.Join(dir, "data"), GatewayTLS: reconcile.GatewayTLS{
		CertFile: filepath.Join(dir, "live.crt"), KeyFile: filepath.Join(dir, "live.key"),
	}}
	write := func(content string) {
		t.Helper()
		for _, file := range []string{c.GatewayTLS.CertFile, c.GatewayTLS.KeyFile} {
			if err := os.WriteFile(file, []byte(filepath.Base(file)+content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	shown := c.shownTLS()
	for _, content := range []string{" of this year", " of the next"} {
		write(content)
		if err := c.copyCertificate(); err != nil {
			t.Fatal(err)
		}
		for original, file := range map[string]string{"live.crt": shown.CertFile, "live.key": shown.KeyFile} {
			got, err := os.ReadFile(file)
			if err != nil || string(got) != original+content {
				t.Errorf("%s: %q, %v", file, got, err)
			}
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o444 {
				t.Errorf("%s: %v, %v; the gateway's user must be able to read it", file, info.Mode(), err)
			}
		}
	}
	if err := os.Remove(c.GatewayTLS.KeyFile); err != nil {
		t.Fatal(err)
	}
	if err := c.copyCertificate(); err == nil {
		t.Error("a key that is gone is not said")
	}
	if got, err := os.ReadFile(shown.KeyFile); err != nil || string(got) != "live.key of the next" {
		t.Errorf("the copy is gone too: %q, %v", got, err)
	}
}

func TestCertificateSettingsThatDoNotFitAreRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cert.pem")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tls := range map[string]reconcile.GatewayTLS{
		"a key without a certificate": {KeyFile: file},
		"files and a domain":          {CertFile: file, KeyFile: file, Domains: []string{"a.example"}},
		"a file that is not there":    {CertFile: file, KeyFile: file + ".missing"},
		"an address without a domain": {Email: "ops@a.example"},
	} {
		if err := (&Config{GatewayTLS: tls}).checkTLS(); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}
