package view_test

import (
	"testing"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/view"
	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/reconcile/gate/fixture"
	"github.com/fairlead/fairlead/spec"
)

func TestPolicies(t *testing.T) {
	pos := spec.Pos{File: "policies.hcl", Line: 3}
	report := &gate.Report{Environments: []gate.EnvironmentReport{
		{Environment: "prod", Policies: 3, Results: []gate.Result{
			{Name: "owned", Policy: true, Subject: "model.digits", Level: spec.LevelHard, Outcome: gate.Passed, Detail: `length(model.owners ["@vision"]) 1 > 0`, Regulation: "EU AI Act, Art. 26(2)", Message: "Add owners.", Pos: pos},
			{Name: "owned", Policy: true, Subject: "model.orphan", Level: spec.LevelHard, Outcome: gate.Failed, Detail: "length(model.owners []) 0 > 0", Regulation: "EU AI Act, Art. 26(2)", Message: "Add owners.", Pos: pos},
			{Name: "robust", Policy: true, Subject: "model.digits", Level: spec.LevelSoft, Outcome: gate.Missing, Detail: "model.rollout.checks is not there; there is no model.rollout"},
			{Name: "described", Policy: true, Subject: `model.digits["eu"]`, Level: spec.LevelAdvisory, Outcome: gate.Failed, Detail: `model.description "x" != "x"`, Message: "Say more.", Pos: pos},
		}},
		{Environment: "staging", Policies: 1, Results: []gate.Result{{Name: "owned", Subject: "model.digits", Outcome: gate.Passed, Level: spec.LevelHard, Detail: "true"}}},
		{Environment: "test"},
	}}
	golden(t, "policy-check", func(v *view.View) error { return v.Policies(report, false) })
	golden(t, "policy-check-all", func(v *view.View) error { return v.Policies(report, true) })
}

func TestPolicyTests(t *testing.T) {
	golden(t, "policy-test", func(v *view.View) error {
		return v.PolicyTests(&fixture.Report{
			Policies: []fixture.Policy{
				{Name: "owned", OK: true, Regulation: "EU AI Act, Art. 26(2)", Fixtures: []fixture.Fixture{{Expect: fixture.Pass, OK: true}, {Expect: fixture.Fail, OK: true}, {Expect: fixture.Skip, OK: true}}},
				{Name: "robust", Fixtures: []fixture.Fixture{
					{Path: "tests/robust/fail-one.txtar", Expect: fixture.Fail, Got: "model.m passed: model.replicas 2 >= 2"},
					{Path: "tests/robust/pass-two.txtar", Expect: fixture.Pass, Error: "it has no files"},
				}},
				{Name: "a_long_name_of_a_policy", Untested: []fixture.Expect{fixture.Pass, fixture.Fail}},
			},
			Strays: []fixture.Fixture{{Path: "tests/owmed/pass-a.txtar", Expect: fixture.Pass, Error: "there is no policy owmed; did you mean owned?"}},
		})
	})
	golden(t, "policy-test-none", func(v *view.View) error { return v.PolicyTests(&fixture.Report{}) })
}
