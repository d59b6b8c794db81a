package github_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/providers/forge/github"
	"github.com/fairlead/fairlead/providers/forge/internal/world"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func byToken(t *testing.T, d *double) *github.Forge {
	t.Helper()
	return open(t, github.Options{BaseURL: d.URL, TokenFile: world.File(t, canary+"\n")})
}

func byApp(t *testing.T, d *double, installation int64) *github.Forge {
	t.Helper()
	d.self = appSlug + "[bot]"
	return open(t, github.Options{BaseURL: d.URL, App: &github.App{ID: appID, InstallationID: installation, KeyFile: keyFile(t)}})
}

func open(t *testing.T, o github.Options) *github.Forge {
	t.Helper()
	o.Repo = world.Owner + "/" + world.Repo
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	f, err := github.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

var key = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func keyFile(t *testing.T) string {
	t.Helper()
	k, err := key()
	if err != nil {
		t.Fatal(err)
	}
	return world.File(t, string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)})))
}

func TestTheContract(t *testing.T) {
	t.Run("token", func(t *testing.T) {
		providertest.ForgeSuite(t, func(t *testing.T) (reconcile.Forge, providertest.ForgeWorld) {
			d := newDouble(t)
			return byToken(t, d), d
		})
	})
	t.Run("app", func(t *testing.T) {
		providertest.ForgeSuite(t, func(t *testing.T) (reconcile.Forge, providertest.ForgeWorld) {
			d := newDouble(t)
			return byApp(t, d, 0), d
		})
	})
}
