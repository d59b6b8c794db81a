package controller_test

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead/providers/memory"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/expr"
)

// The loop takes the same *Target for a model about which nothing changed, so
// what binding keeps and what it makes anew decides what a commit costs, and
// whether it is followed at all.
func TestBindingKeepsExactlyTheTargetsThatDidNotChange(t *testing.T) {
	engine := memory.NewEngine()
	engine.AddTag("digits:1", "old")
	scope := reconcile.Scope{Owner: "fairlead", Environment: "test"}
	binder := &controller.Binder{Scope: scope, Runtime: engine.Runtime(scope), Secrets: values{}, Store: &store{}, Key: []byte("key"), GatewayHost: "127.0.0.1", GatewayPort: 8080}
	bind := func(commit string, models ...*spec.Model) map[string]*reconcile.Target {
		t.Helper()
		cfg := &spec.Config{Models: models, Secrets: map[string]*spec.Secret{"token": {Name: "token"}}}
		d, err := binder.Bind(t.Context(), cfg, spec.Commit{ID: commit})
		if err != nil || len(d.Unbound) > 0 {
			t.Fatalf("bind: %v, unbound %v", err, d.Unbound)
		}
		return d.Targets
	}
	digest := "digits@sha256:" + strings.Repeat("ab", 32)
	fixed, edited, tagged := model("fixed", image(digest)), model("edited", image(digest)), model("tagged", image("digits:1"))
	before := bind("c1", fixed, edited, tagged)
	engine.AddTag("digits:1", "new")
	edited = model("edited", image(digest), replicas(3))
	after := bind("c2", fixed, edited, tagged)

	if before["fixed"] != after["fixed"] {
		t.Error("a model of the same digest and spec has another target")
	}
	if got := after["edited"]; got == before["edited"] || got.Model.Replicas != 3 || got.Revision != before["edited"].Revision {
		t.Errorf("a model with more replicas has target %+v; want another one of the same revision", got)
	}
	if after["tagged"].Revision == before["tagged"].Revision {
		t.Error("a tag that moved before the next commit has the old revision")
	}
	if gone := bind("c3", edited); len(gone) != 1 {
		t.Errorf("%d targets are left of one model", len(gone))
	}
	if again := bind("c4", fixed); again["fixed"].Revision != after["fixed"].Revision {
		t.Error("a model that comes back has another revision")
	}
}

// A hard policy keeps a model from being changed, and no other one.
func TestAModelThatAPolicyDeniesIsNotBound(t *testing.T) {
	engine := memory.NewEngine()
	scope := reconcile.Scope{Owner: "fairlead", Environment: "test"}
	binder := &controller.Binder{Scope: scope, Runtime: engine.Runtime(scope), Secrets: values{}, Store: &store{}, Key: []byte("key"), GatewayHost: "127.0.0.1", GatewayPort: 8080}
	digest := "digits@sha256:" + strings.Repeat("ab", 32)
	good, bad := model("good", image(digest)), model("bad", image(digest))
	good.Owners = []string{"@vision"}
	owned := &spec.Policy{
		Name: "owned", For: spec.KindModel, Level: spec.LevelHard, Message: "Say who answers for it.", Regulation: "EU AI Act, Art. 26",
		Require: expr.Expr{Op: expr.Gt, Args: []expr.Expr{{Op: expr.Call, Name: "length", Args: []expr.Expr{{Op: expr.Ref, Path: []string{"model", "owners"}}}}, expr.Of(0.0)}},
	}
	d, err := binder.Bind(t.Context(), &spec.Config{Models: []*spec.Model{bad, good}, Policies: []*spec.Policy{owned}}, spec.Commit{ID: "c1"})
	if err != nil {
		t.Fatal(err)
	}
	if d.Targets["good"] == nil || d.Targets["bad"] != nil {
		t.Errorf("targets %v", d.Targets)
	}
	if err := d.Unbound["bad"]; err == nil || !strings.Contains(err.Error(), "policy.owned") || !strings.Contains(err.Error(), "Art. 26") {
		t.Errorf("got %v", err)
	}
}
