package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

// What somebody does to containers by hand is put right, without a commit.
func TestWhatIsAlteredByHandIsPutRight(t *testing.T) {
	t.Parallel()
	e, _, m := serveDigits(t)
	gateway := func() string { return e.replicas("")[0] } // the one without a model
	replica := func() string { return e.replicas("digits")[0] }
	post := func(path string, body any) { e.engine.must(http.MethodPost, "/containers/"+path, body, nil) }
	disconnect := func(id string) {
		e.engine.must(http.MethodPost, "/networks/"+e.network()+"/disconnect", map[string]any{"Container": id, "Force": true}, nil)
	}
	for name, alter := range map[string]func(){
		"a replica is killed":         func() { post(replica()+"/kill", nil) },
		"a replica is stopped":        func() { post(replica()+"/stop?t=0", nil) },
		"a replica is paused":         func() { post(replica()+"/pause", nil) },
		"a replica is removed":        func() { e.engine.remove(replica()) },
		"a replica is renamed":        func() { post(replica()+"/rename?name="+e.owner+"-by-hand", nil) },
		"a replica gets other limits": func() { post(replica()+"/update", map[string]any{"PidsLimit": 77}) },
		"a replica loses its network": func() { disconnect(replica()) },
		"every replica is removed": func() {
			for _, id := range e.replicas("digits") {
				e.engine.remove(id)
			}
		},
		"the gateway is killed":         func() { post(gateway()+"/kill", nil) },
		"the gateway is removed":        func() { e.engine.remove(gateway()) },
		"the gateway loses its network": func() { disconnect(gateway()) },
		"a stranger has our labels":     func() { e.strayReplica() },
		"the network is removed": func() {
			// Nobody has the time for this by hand: the daemon would put the first
			// container back before the last one is gone.
			daemon := e.daemon.cmd.Process
			if err := daemon.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = daemon.Signal(syscall.SIGCONT) }()
			for _, c := range e.engine.containers(e.owner) {
				e.engine.remove(c.ID)
			}
			e.engine.must(http.MethodDelete, "/networks/"+e.network(), nil, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			alter()
			e.exactly(m)
			e.untilNothing(e.altered)
			e.until("the daemon is content", func() bool {
				s, ok := e.status()
				return ok && s.Converged
			})
			if got := e.serving("digits"); got != m.version {
				t.Errorf("version %q serves, want %q", got, m.version)
			}
		})
	}
	if e.proxy.Count(http.MethodPost, "/containers/*/update") == 0 {
		t.Error("the limits of a container were never put right")
	}
}

// network is the environment's one network.
func (e *environment) network() string { return e.owner + ".default" }

// altered says what is not as it was declared about a container, by its
// inspection.
func (e *environment) altered() string {
	for _, c := range e.engine.containers(e.owner) {
		var is struct {
			Name       string
			State      struct{ Running, Paused bool }
			HostConfig struct{ PidsLimit int }
			Network    struct{ Networks map[string]any } `json:"NetworkSettings"`
		}
		if err := e.engine.call(http.MethodGet, "/containers/"+c.ID+"/json", nil, &is); err != nil {
			return err.Error()
		}
		switch {
		case !strings.HasPrefix(is.Name, "/"+e.network()+"."):
			return is.Name + " is no name of ours"
		case !is.State.Running || is.State.Paused:
			return is.Name + " does not run"
		case is.HostConfig.PidsLimit == 77:
			return is.Name + " has the limits that it got by hand"
		case is.Network.Networks[e.network()] == nil:
			return fmt.Sprintf("%s is on %v, not on the network", is.Name, is.Network.Networks)
		}
	}
	return ""
}
