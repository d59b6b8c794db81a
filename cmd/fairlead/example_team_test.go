package main

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/directory"
	"github.com/fairlead/fairlead/providers/notify"
	"github.com/fairlead/fairlead/providers/secret"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/lang"
)

// Every secret of examples/team is decrypted by the key beside it, and every notifier
// takes what it is given.
func TestTheTeamsSecretsFitItsNotifiers(t *testing.T) {
	source, err := directory.New(directory.Options{Dir: "../../examples/team/config"})
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := source.Latest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cfg, diags := lang.NewLoader().Load(snapshot.Tree, lang.Options{Environment: "prod"})
	if len(diags) > 0 {
		t.Fatal(diags.Err())
	}
	resolver, err := secret.New(secret.Options{AgeIdentities: map[string]string{"": "../../examples/team/operator/age-identity-TEST-ONLY.txt"}})
	if err != nil {
		t.Fatal(err)
	}
	var declared []*spec.Secret
	for _, s := range cfg.Secrets {
		declared = append(declared, s)
	}
	values, err := resolver.Resolve(t.Context(), declared)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[spec.NotifierKind]bool{}
	for _, n := range cfg.Notifiers {
		kinds[n.Kind] = true
		o := notify.Options{Notifier: *n, Token: values[n.Token], SigningKey: values[n.SigningKey], AllowPrivate: true, Now: time.Now}
		if _, err := notify.New(o); err != nil {
			t.Errorf("notifier %s: %v", n.Name, err)
		}
	}
	if len(kinds) != 5 {
		t.Errorf("the example has notifiers of %d kinds, want all 5", len(kinds))
	}
}
