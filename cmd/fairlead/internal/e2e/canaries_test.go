package e2e

import (
	"bytes"
	"embed"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
)

//go:embed testdata/sops
var sopsFixtures embed.FS

// sops declares the values of a file that is encrypted with SOPS.
func (v *vault) sops() {
	t := v.environment.t
	t.Helper()
	read := func(name string) string {
		content, err := fs.ReadFile(sopsFixtures, "testdata/sops/"+name)
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	v.write("secrets/secrets.env", read("secrets.env"))
	for line := range strings.Lines(read("plain.env")) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		name := "sops_" + strings.ToLower(key)
		v.canaries["the SOPS secret "+key] = value
		fmt.Fprintf(&v.blocks, "secret %q {\n  sops = \"secrets/secrets.env\"\n  key  = %q\n}\n", name, key)
		v.deliver(name, value, key == "TOKEN")
	}
}

// hidden plants a secret of a file, which no container gets.
func (v *vault) hidden(name, value string) {
	path := filepath.Join(v.root, name)
	v.keep(path, value+"\n", 0o600)
	v.secret(name, "file", fmt.Sprintf("%q", path))
}

// tree is what the vault's repository holds, by path.
func (v *vault) tree() map[string]string {
	v.environment.t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(v.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == ".git" {
			return fs.SkipDir
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, v.dir+"/")] = string(content)
		return err
	})
	if err != nil {
		v.environment.t.Fatal(err)
	}
	return files
}

// overheard is what the forge was sent, apart from Git.
type overheard struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *overheard) listen(_ http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || !strings.HasPrefix(r.URL.Path, "/api/") {
		return false
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return false
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	o.mu.Lock()
	defer o.mu.Unlock()
	fmt.Fprintf(&o.text, "%s %s %s\n", r.Method, r.URL, body)
	return false
}

func (o *overheard) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// credentials plants what the daemon itself has: for the forge, Git, the API, a registry,
// webhooks, notifiers, and the key of the journal.
func (r *reviewed) credentials(v *vault, inbox *receiver) (registry string) {
	t := r.t
	plant := func(flag, as, value string) {
		v.canaries[as] = value
		r.set(flag, r.file(strings.ToLower(flag), value+"\n"))
	}
	plant("FORGE_TOKEN_FILE", "the token of the forge", r.world.AddUser(bot))
	plant("GIT_TOKEN_FILE", "the token of Git", r.world.AddUser("acme"))
	plant("TOKEN_FILE", "the token of the API", v.canaries.plant("the token of the API"))
	plant("JOURNAL_KEY_PASSPHRASE_FILE", "the passphrase of the journal's key", v.canaries.plant("the passphrase of the journal's key"))
	key := r.newKey("journal", "-N", v.canaries["the passphrase of the journal's key"])
	r.set("JOURNAL_KEY", key)
	content, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	v.canaries["the journal's private key"] = strings.Split(string(content), "\n")[3]
	hook := r.file("hook", v.canaries.plant("the secret of the webhook")+"\n")
	address := freeAddress(t)
	r.set("WEBHOOK", "main=gitea:"+hook)
	r.set("WEBHOOK_LISTEN", address)
	r.set("LISTEN", freeAddress(t))
	r.forge.AddHook("http://"+address+"/hooks/main", v.canaries["the secret of the webhook"])

	v.hidden("inbox_url", inbox.url+"/"+v.canaries.plant("the address of a notifier"))
	v.hidden("inbox_token", v.canaries.plant("the token of a notifier"))
	signing := base64.StdEncoding.EncodeToString([]byte(v.canaries.plant("the key of a notifier, as it is")))
	v.canaries["the signing key of a notifier"] = signing
	v.hidden("inbox_key", "whsec_"+signing)
	v.write("notifiers.hcl", "notifier \"inbox\" {\n  kind        = webhook\n  url         = secret.inbox_url\n  token       = secret.inbox_token\n  signing_key = secret.inbox_key\n}\n")
	r.set("NOTIFY_PRIVATE", "true")
	return v.registry()
}

// objects are all Git objects of the forge's repository, and of the daemon's.
func (r *reviewed) objects() map[string]string {
	r.t.Helper()
	all := map[string]string{"the repository of the forge": r.gitOf("cat-file", "--batch-all-objects", "--batch", "--unordered")}
	err := filepath.WalkDir(r.data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() || d.Name() != "objects" {
			return err
		}
		dir := filepath.Dir(path)
		all["the repository "+dir] = r.gitAt(dir, "cat-file", "--batch-all-objects", "--batch", "--unordered")
		return fs.SkipDir
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

// shown is all that people see on the forge.
func (r *reviewed) shown() string {
	var all strings.Builder
	for _, p := range r.forge.Pulls() {
		fmt.Fprintf(&all, "%+v\n%+v\n", p, r.forge.Comments(p.Number))
	}
	for commit := range strings.Lines(r.gitOf("rev-list", "--all")) {
		fmt.Fprintf(&all, "%+v\n", r.forge.Statuses(strings.TrimSpace(commit)))
	}
	return all.String()
}

// Of all that Fairlead knows nothing shows where people review, are told or look things
// up: not in a plan on a pull request, a status, a proposal, the journal, a message, a log
// or an answer, also where a version fails that uses them.
func TestNoSecretShowsWhereItIsReviewed(t *testing.T) {
	t.Parallel()
	r := newReviewed(t)
	v := newVaultIn(r.environment)
	v.good()
	v.sops()
	inbox := newReceiver(t, false)
	registry := r.credentials(v, inbox)
	heard := &overheard{}
	listen := heard.listen
	r.relay.before.Store(&listen)

	base := v.uses(model{name: "vault", image: v.image, version: "1", replicas: 1, deadline: "6s", body: "  rollout {\n    step {\n      weight = 50\n      hold   = \"1s\"\n    }\n    keep_previous = \"1s\"\n  }\n"})
	lost := model{name: "lost", image: registry + "/nothing:1", version: "1", replicas: 1}
	files := v.tree()
	files["secrets.hcl"] = v.blocks.String()
	files["models.hcl"] = base.hcl() + lost.hcl()
	first := r.commit("A vault", files)
	if len(v.canaries) < 30 {
		t.Fatalf("only %d canaries are planted", len(v.canaries))
	}
	r.serveForge()
	phase := func(commit string, want rollout.Phase) {
		r.until(fmt.Sprintf("the vault is %s at %s", want, commit), func() bool {
			s, ok := r.status()
			return ok && s.Commit.ID == commit && len(s.Models) == 2 && s.Models[1].Name == "vault" && s.Models[1].Phase == want && s.Models[1].Rollout == nil
		})
	}
	phase(first, rollout.Steady)
	v.delivered()

	crashing := base
	crashing.version, crashing.env = "2", maps.Clone(base.env)
	crashing.env["CRASH"], crashing.env["FILE_0"] = `"on purpose"`, "secret.file_2"
	number := r.propose("vault-2", "Vault 2", map[string]string{"models.hcl": crashing.hcl() + lost.hcl()})
	r.until("the plan is on the pull request", func() bool { return len(r.forge.Comments(number)) == 1 })
	if plan := r.forge.Comments(number)[0].Body; !strings.Contains(plan, "(sensitive, changed)") {
		t.Errorf("the plan does not tell of the other secret:\n%s", plan)
	}
	bad := r.merge(number)
	phase(bad, rollout.Held)
	r.told(inbox, spec.NotifyRolledBack, "vault")
	p := r.proposed("fairlead/revert/vault")
	broken := r.commit("Broken", map[string]string{"broken.hcl": "model \"other\" {\n  image = \"${secret.file_0}\"\n}\n"})
	r.told(inbox, spec.NotifyRefused, broken[:7])
	r.commit("Mended", map[string]string{"broken.hcl": ""})
	back := r.merge(p.Number)
	phase(back, rollout.Steady)

	printed := r.answers()
	r.daemon.stop()
	printed["the log of serve"] = r.daemon.log.String()
	printed["what the forge was sent"] = heard.String()
	printed["what the forge shows"] = r.shown()
	printed["the messages"] = inbox.everything()
	maps.Copy(printed, r.objects())
	for where, text := range printed {
		if text == "" {
			t.Errorf("%s holds nothing", where)
		}
		v.canaries.absent(t, where, text)
	}
	v.canaries.absent(t, "the data directory", stored(t, r.data))
	t.Logf("%d canaries, %d places, %d bytes searched", len(v.canaries), len(printed)+1, size(printed))
}

// answers is what the daemon and the program say when they are asked.
func (r *reviewed) answers() map[string]string {
	r.t.Helper()
	printed := map[string]string{}
	for _, path := range []string{
		"/metrics", "/api/v1/status", "/api/v1/plan", "/api/v1/history?limit=10000", "/api/v1/audit/rows?from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z", "/api/v1/audit/head",
	} {
		text, err := r.ask(path)
		if err != nil {
			r.t.Errorf("%s: %v", path, err)
		}
		printed[path] = string(text)
	}
	for _, args := range [][]string{
		{"status"},
		{"status", "--json"},
		{"history"},
		{"history", "--json"},
		{"plan", r.forge.CloneURL()},
		{"plan", "--json", r.forge.CloneURL()},
		{"plan", "--pr", "1", r.forge.CloneURL()},
	} {
		out, code := r.fairlead(args...)
		printed[fmt.Sprintf("fairlead %s (exit code %d)", strings.Join(args, " "), code)] = out
	}
	return printed
}
