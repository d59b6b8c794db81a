package plan_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile/plan"
	"github.com/fairlead/fairlead/spec"
)

func TestReplacementSaysByWhichRolloutItComes(t *testing.T) {
	old := target(model("fraud", 1), "a")
	for name, tc := range map[string]struct {
		policy *spec.Rollout
		want   *plan.Rollout
	}{
		"none without a rollout block": {},
		"declared steps": {
			&spec.Rollout{
				Strategy: spec.Canary, Steps: []spec.RolloutStep{{Weight: 5, Hold: time.Minute}, {Weight: 50, Approval: true}},
				Checks: []spec.Check{{Name: "errors"}, {Name: "latency"}}, KeepPrevious: time.Hour,
			},
			&plan.Rollout{
				Strategy: spec.Canary, Steps: []plan.Step{{Weight: 5, Hold: time.Minute}, {Weight: 50, Approval: true}},
				Checks: []string{"errors", "latency"}, KeepPrevious: time.Hour,
			},
		},
		"built-in steps": {
			&spec.Rollout{Strategy: spec.BlueGreen},
			&plan.Rollout{Strategy: spec.BlueGreen, Steps: []plan.Step{{Weight: 100}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			wanted := model("fraud", 1)
			wanted.Rollout = tc.policy
			c := only(t, diff(desired(target(wanted, "b")), container(old, 1)))
			if c.Action != plan.Replace {
				t.Fatalf("got %+v", c)
			}
			if got := c.Rollout; !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}
