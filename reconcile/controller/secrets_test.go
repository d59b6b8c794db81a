package controller_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/spec"
)

// An engine quotes what it does not like: the whole environment, perhaps.
func TestErrorsOfTheEngineShowNoSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.engine.SetFault(func(op string) error {
			if op == "start" {
				return errors.New(`cannot start "TOKEN=value of token"`)
			}
			return nil
		})
		w.repo.commit(model("digits", func(m *spec.Model) {
			m.Container.Env = map[string]spec.EnvValue{"TOKEN": {Secret: "token"}}
		}))
		shown := ""
		w.controller().Run(t.Context(), func(s *controller.Status) bool {
			for _, m := range s.Models {
				shown += m.Error
			}
			return shown != ""
		})
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, e := range w.events {
			shown += e.Message
			if e.Err != nil {
				shown += e.Err.Error()
			}
		}
		if strings.Contains(shown, "value of token") || !strings.Contains(shown, `"TOKEN=(sensitive)"`) {
			t.Errorf("shown is: %s", shown)
		}
	})
}
