package e2e

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/reconcile/journal"
)

// twin is another environment that is kept by a daemon of its own, on the same
// repository of the same forge.
func (r *reviewed) twin(name string) *reviewed {
	r.t.Helper()
	other := &reviewed{environment: newEnvironment(r.t), world: r.world, forge: r.forge, relay: r.relay, bad: r.bad}
	token := r.file("token", r.world.AddUser(bot)+"\n")
	for flag, value := range map[string]string{"FORGE": "gitea", "FORGE_TOKEN_FILE": token, "GIT_TOKEN_FILE": token, "INTERVAL": "1s", "ENVIRONMENT": name} {
		other.set(flag, value)
	}
	return other
}

// twoEnvironments is a model that is promoted from staging to prod; its words in capitals
// are replaced.
const twoEnvironments = `model "digits" {
  version      = "1.0.0"
  image        = "IMAGE" # in both
  replicas     = 1
  stop_timeout = "1s"
  health {
    interval    = "500ms"
    min_healthy = "500ms"
    deadline    = "45s"
  }
  rollout {
    step {
      weight = 50
      hold   = "1s"
    }
    keep_previous = "1s"
  }
}

environment "staging" {
STAGING}

# Nothing is special about prod.
environment "prod" {
}

promote "prod" {
  from    = environment.staging
  after   = "1s"
  require = [from.restarts == 0]
}
`

// What has been stable in staging for long enough is proposed for prod, and rolled out
// there when it is merged. What a person closes is not proposed again.
func TestStableInStagingIsProposedForProd(t *testing.T) {
	t.Parallel()
	prod := newReviewed(t)
	prod.set("ENVIRONMENT", "prod")
	staging := prod.twin("staging")
	const branch = "fairlead/promotion/prod/digits"
	spec := func(overlay string) map[string]string {
		return map[string]string{"models.hcl": strings.NewReplacer("IMAGE", prod.image, "STAGING", overlay).Replace(twoEnvironments)}
	}
	overlay := func(version, image string) string {
		return fmt.Sprintf("  model \"digits\" {\n    version = %q\n    image   = %q\n  }\n", version, image)
	}
	first := prod.commit("Digits", spec(""))
	prod.serveForge()
	staging.serveForge()
	prod.steady(first)
	staging.steady(first)

	staging.steady(prod.commit("Digits 1.1.0 for staging", spec(overlay("1.1.0", prod.bad))))
	p := prod.proposed(branch)
	for _, part := range []string{"1.1.0", "stable in staging", journal.Branch("staging")} {
		if !strings.Contains(p.Title+p.Body, part) {
			t.Errorf("the proposal does not tell %q:\n%s\n%s", part, p.Title, p.Body)
		}
	}
	merged := prod.merge(p.Number)
	prod.steady(merged)
	staging.steady(merged)
	prod.nothingProposed()
	for _, e := range []*reviewed{prod, staging} {
		if s, ok := e.status(); !ok || s.Models[0].Version != "1.1.0" || s.Models[0].Image != prod.bad {
			t.Errorf("%s has %+v", s.Environment, s.Models)
		}
	}
	if got := prod.from(branch); len(got) != 1 {
		t.Errorf("pull requests %+v, want one", got)
	}

	text := prod.read(merged, "models.hcl")
	if !strings.Contains(text, "# Nothing is special about prod.") || !strings.Contains(text, "# in both") {
		t.Errorf("the proposal has lost the comments:\n%s", text)
	}
	again := strings.Replace(text, overlay("1.1.0", prod.bad), overlay("1.2.0", prod.image), 1)
	staging.steady(prod.commit("Digits 1.2.0 for staging", map[string]string{"models.hcl": again}))
	p = prod.proposed(branch)
	if err := prod.forge.ClosePull(p.Number, ben); err != nil {
		t.Fatal(err)
	}
	prod.until("the ledger has who closed it", func() bool {
		return slices.ContainsFunc(prod.decided(journal.ActionConclude), func(e journal.Entry) bool {
			return e.Actor == ben && strings.HasPrefix(e.Reason, "rejected")
		})
	})
	notes := prod.commit("Notes", map[string]string{"NOTES.md": "None.\n"})
	prod.steady(notes)
	prod.until("it is said why it is not proposed again", func() bool {
		s, ok := prod.status()
		return ok && len(s.Proposals) == 1 && s.Proposals[0].State == "blocked" && strings.Contains(s.Proposals[0].Reason, "rejected before")
	})
	if got := prod.from(branch); len(got) != 2 {
		t.Errorf("pull requests %+v, want the two", got)
	}
}

// registryOf starts the registry of Debian, and returns its address.
func registryOf(r *reviewed) (address string) {
	t := r.t
	t.Helper()
	binary, err := exec.LookPath("docker-registry")
	if err != nil {
		t.Skip("docker-registry is not installed; on Debian: apt-get install docker-registry")
	}
	address = freeAddress(t)
	config := r.file("registry.yml", fmt.Sprintf("version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: %s\nhttp:\n  addr: %s\n", t.TempDir(), address))
	command := exec.CommandContext(t.Context(), binary, "serve", config)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill() // it may have ended
		_ = command.Wait()
	})
	r.until("the registry answers", func() bool {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/v2/", nil)
		if err != nil {
			return false
		}
		transport := &http.Transport{DisableKeepAlives: true}
		response, err := transport.RoundTrip(request)
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return address
}

// push gives an image of the engine a tag in a registry.
func (r *reviewed) push(image, repository, tag string) {
	r.t.Helper()
	r.engine.must(http.MethodPost, "/images/"+image+"/tag?repo="+url.QueryEscape(repository)+"&tag="+tag, nil, nil)
	r.t.Cleanup(func() { _ = r.engine.call(http.MethodDelete, "/images/"+repository+":"+tag+"?force=1", nil, nil) })
	request, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, "http://engine/images/"+repository+"/push?tag="+tag, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set("X-Registry-Auth", base64.URLEncoding.EncodeToString([]byte("{}")))
	response, err := r.engine.client.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	told, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || strings.Contains(string(told), "errorDetail") {
		r.t.Fatalf("push %s:%s: %s, %v: %s", repository, tag, response.Status, err, told)
	}
}

// An update rule proposes the newest version of its range, by its digest, and that is
// what runs once it is merged.
func TestNewerImageIsProposedByItsDigest(t *testing.T) {
	t.Parallel()
	r := newReviewed(t)
	registry := registryOf(r)
	repository := registry + "/digits"
	r.set("INSECURE_REGISTRY", registry)
	for tag, image := range map[string]string{"1.1.0": r.image, "1.1.3": r.bad, "1.2.0": r.image, "latest": r.image} {
		r.push(image, repository, tag)
	}
	const rule = "  update {\n    range = \"~1.1\"\n  }\n"
	first := r.commit("Digits", map[string]string{"models.hcl": r.digits("1.1.0", repository+":1.1.0", rule)})
	r.serveForge()
	r.steady(first)
	p := r.proposed("fairlead/pin/digits")
	text := r.read(p.HeadSHA, "models.hcl")
	if !strings.Contains(text, `"`+repository+":1.1.3@sha256:") || !strings.Contains(text, "# built by CI") {
		t.Errorf("the proposal is\n%s", text)
	}
	merged := r.merge(p.Number)
	r.steady(merged)
	r.nothingProposed()
	if s, ok := r.status(); !ok || !strings.Contains(s.Models[0].Image, ":1.1.3@sha256:") || s.Models[0].Serving != s.Models[0].Revision {
		t.Errorf("what serves is %+v", s.Models)
	}
	if got := r.from("fairlead/pin/digits"); len(got) != 1 {
		t.Errorf("pull requests %+v, want one", got)
	}
}
