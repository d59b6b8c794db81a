package view_test

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/cmd/fairlead/internal/view"
)

func TestChainIsToldBesideTheAnswer(t *testing.T) {
	for want, c := range map[string]app.Chain{
		"! No signature was checked: whoever can write to REPO": {},
		"": {Checked: true, Sound: true},
		"✓ 1 decision, signed by its daemon and in their place.":                  {Checked: true, Sound: true, Entries: 1},
		"✓ 9 decisions, 4 of them from before the journal was signed. All others": {Checked: true, Sound: true, Entries: 9, Unsigned: 4},
		"so do not rely on this: entry 2, time: early. See":                       {Checked: true, Problems: 1, First: "entry 2, time: early"},
		"so do not rely on this: entry 2, time: early (and 2 more). See":          {Checked: true, Problems: 3, First: "entry 2, time: early"},
	} {
		var out, errs strings.Builder
		v := &view.View{Out: &out, Err: &errs}
		if err := v.Chain(&c, "REPO"); err != nil || out.Len() > 0 || !strings.Contains(errs.String(), want) || want == "" && errs.Len() > 0 {
			t.Errorf("%+v: got %q and %q, %v", c, errs.String(), out.String(), err)
		}
		if c.Broken() != (c.Problems > 0) {
			t.Errorf("%+v: broken is %v", c, c.Broken())
		}
	}
}
