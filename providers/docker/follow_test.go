package docker

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

func TestOnlyTheBeginningOfAStreamHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, _, end := opening(t.Context())
		defer end()
		quick, opened, endQuick := opening(t.Context())
		defer endQuick()
		opened()
		time.Sleep(queryLimit + time.Second) // virtual
		if slow.Err() == nil {
			t.Error("an engine that does not answer is waited for")
		}
		if quick.Err() != nil {
			t.Error("an engine that has answered is given up")
		}
	})
}

func TestTranscriptTakesEachMessageOnce(t *testing.T) {
	var out strings.Builder
	at := time.Date(2026, 3, 3, 14, 0, 0, 0, time.UTC)
	say := func(v *voice, second int, text string) {
		t.Helper()
		message := at.Add(time.Duration(second)*time.Second).Format(time.RFC3339Nano) + " " + text
		if n, err := v.Write([]byte(message)); err != nil || n != len(message) {
			t.Errorf("write %q: %d, %v", message, n, err)
		}
	}
	tr := newTranscript(t.Context(), &out)
	if tr.since() != "" {
		t.Errorf("it begins at %s", tr.since())
	}
	say(tr.stdout, 1, "a b ")
	say(tr.stdout, 1, "part ") // of one line: they have one time
	say(tr.stderr, 3, "e ")
	tr.resume()
	if want := fmt.Sprint(at.Add(2*time.Second).Unix()) + ".000000000"; tr.since() != want {
		t.Errorf("it goes on at %s, want %s", tr.since(), want)
	}
	say(tr.stdout, 1, "known ")
	say(tr.stdout, 2, "late ") // behind the other stream
	say(tr.stderr, 3, "known ")
	say(tr.stderr, 4, "f")
	if got, want := out.String(), "a b part e late f"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, message := range []string{"", " ", "no time", "2026-03-03", "\xff\x00 x"} {
		if _, err := tr.stdout.Write([]byte(message)); err == nil {
			t.Errorf("%q was taken", message)
		}
	}
}

func TestOwnDirectoriesAreNoMatterOfThePolicy(t *testing.T) {
	step := func(change func(*reconcile.ContainerSpec)) reconcile.ContainerSpec {
		c := providertest.TestStep(testScope, reconcile.Image{Pin: "sha256:aa"}, "train-1", "fit")
		c.Binds = []reconcile.Bind{{Source: "/data/in", Target: "/in", ReadOnly: true}, {Source: "/data/out", Target: "/out"}}
		change(&c)
		return c
	}
	if denials := verdict(Policy{}, step(func(*reconcile.ContainerSpec) {}), nil); len(denials) > 0 {
		t.Errorf("denied: %+v", denials)
	}
	for name, change := range map[string]func(*reconcile.ContainerSpec){
		"a mount of the spec beside them": func(c *reconcile.ContainerSpec) {
			c.Mounts = []spec.Mount{{Type: spec.MountBind, Source: "/data/in", Target: "/in", ReadOnly: true}}
		},
		"over the secrets":   func(c *reconcile.ContainerSpec) { c.Binds[0].Target = "/run/secrets" },
		"over the root":      func(c *reconcile.ContainerSpec) { c.Binds[0].Target = "/" },
		"at a relative path": func(c *reconcile.ContainerSpec) { c.Binds[0].Target = "in" },
	} {
		if len(verdict(Policy{}, step(change), nil)) == 0 {
			t.Errorf("%s: it was granted", name)
		}
	}
	t.Run("no network goes before that of the host", func(t *testing.T) {
		c := step(func(c *reconcile.ContainerSpec) { c.HostNetwork = true })
		if mode := build(testScope, Policy{HostNetwork: true}, c, "").Host.NetworkMode; mode != "none" {
			t.Errorf("the network is %s", mode)
		}
	})
}
