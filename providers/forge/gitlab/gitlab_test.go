package gitlab_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/providers/forge/gitlab"
	"github.com/fairlead/fairlead/providers/forge/internal/world"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func byToken(t *testing.T, d *double) *gitlab.Forge {
	t.Helper()
	return open(t, gitlab.Options{BaseURL: d.URL, TokenFile: world.File(t, canary+"\n")})
}

func open(t *testing.T, o gitlab.Options) *gitlab.Forge {
	t.Helper()
	if o.Repo == "" {
		o.Repo = world.Owner + "/" + world.Repo
	}
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	f, err := gitlab.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func TestTheContract(t *testing.T) {
	providertest.ForgeSuite(t, func(t *testing.T) (reconcile.Forge, providertest.ForgeWorld) {
		d := newDouble(t)
		return byToken(t, d), d
	})
}
