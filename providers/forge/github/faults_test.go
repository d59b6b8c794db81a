package github_test

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/forge/github"
	"github.com/fairlead/fairlead/providers/forge/internal/world"
)

func TestFaults(t *testing.T) {
	world.Faults(t, func(t *testing.T, timeout time.Duration) world.Fresh {
		d, clock := newDouble(t), &world.Clock{}
		d.Push(t, "ann", "feature")
		file := world.File(t, canary)
		f := open(t, github.Options{BaseURL: d.URL, TokenFile: file, Timeout: timeout, Now: clock.Now})
		return world.Fresh{Forge: f, Server: d.Server, Clock: clock, TokenFile: file, Token: canary, Pull: d.OpenPull(t, "ann", "feature", "main", "Digits")}
	})
}
