package e2e

import (
	"crypto/rand"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fairlead/fairlead/reconcile/rollout"
)

// canaries are values that must show nowhere, by what they were planted as.
type canaries map[string]string

// plant makes a new one.
func (c canaries) plant(as string) string {
	value := "canary" + rand.Text() + rand.Text()
	c[as] = value
	return value
}

// absent fails the test where a text holds a canary, or a good part of one, as it
// is or encoded.
func (c canaries) absent(t *testing.T, where, text string) {
	t.Helper()
	for as, value := range c {
		forms := map[string]string{
			"whole":           value,
			"its first third": value[:len(value)/3],
			"its last third":  value[len(value)-len(value)/3:],
			"in base64":       base64.StdEncoding.EncodeToString([]byte(value))[:24],
			"in hex":          hex.EncodeToString([]byte(value))[:24],
		}
		for form, part := range forms {
			if at := strings.Index(text, part); at >= 0 {
				t.Errorf("%s shows %s, %s: ...%s...", where, as, form, text[max(0, at-200):min(len(text), at+100)])
				break
			}
		}
	}
}

//go:embed testdata/age
var ageFixtures embed.FS

func fixture(t *testing.T, name string) string {
	t.Helper()
	content, err := fs.ReadFile(ageFixtures, "testdata/age/"+name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// vault is a config repo whose secrets come from everywhere, and a host that
// holds them.
type vault struct {
	*environment
	*repo
	canaries canaries
	inRepo   canaries          // what the repository itself shows, by mistake of its author
	root     string            // of secret files
	blocks   strings.Builder   // secret blocks
	env      map[string]string // what the container should have, by name
	files    map[string]string
}

func newVault(t *testing.T) *vault { return newVaultIn(newEnvironment(t)) }

// newVaultIn makes one in an environment that is there.
func newVaultIn(e *environment) *vault {
	t := e.t
	v := &vault{
		environment: e, repo: newRepo(t), canaries: canaries{}, inRepo: canaries{}, root: filepath.Join(t.TempDir(), "secrets"),
		env: map[string]string{}, files: map[string]string{},
	}
	if err := os.MkdirAll(v.root, 0o700); err != nil {
		t.Fatal(err)
	}
	v.set("SECRET_ROOT", v.root)
	identity := filepath.Join(t.TempDir(), "identity.txt")
	v.keep(identity, fixture(t, "identity.txt"), 0o600)
	v.set("AGE_IDENTITY", identity)
	v.canaries["the age identity"] = strings.TrimSpace(strings.SplitAfter(fixture(t, "identity.txt"), "\n")[1])
	return v
}

func (v *vault) keep(path, content string, mode os.FileMode) {
	v.environment.t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		v.environment.t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // past the umask
		v.environment.t.Fatal(err)
	}
}

// secret adds a block.
func (v *vault) secret(name, source, value string) {
	fmt.Fprintf(&v.blocks, "secret %q {\n  %s = %s\n}\n", name, source, value)
}

// plain is what the age fixtures hold.
func plain(t *testing.T) map[string]string {
	t.Helper()
	var values map[string]string
	if err := json.Unmarshal([]byte(fixture(t, "plain.json")), &values); err != nil {
		t.Fatal(err)
	}
	return values
}

// good declares secrets that resolve: from files, from the environment and
// encrypted, each as a variable and as a file of the container.
func (v *vault) good() {
	t := v.environment.t
	for n := range 8 {
		name := fmt.Sprintf("file_%d", n)
		value := v.canaries.plant("the secret of " + name)
		path := filepath.Join(v.root, name)
		v.keep(path, value+"\n", 0o600)
		v.secret(name, "file", fmt.Sprintf("%q", path))
		v.deliver(name, value, n%2 == 0)
	}
	for n := range 6 {
		name := fmt.Sprintf("env_%d", n)
		value := v.canaries.plant("the secret of " + name)
		v.set("SECRET_"+strings.ToUpper(name), value)
		v.secret(name, "env", fmt.Sprintf("%q", "FAIRLEAD_SECRET_"+strings.ToUpper(name)))
		v.deliver(name, value, n%2 == 0)
	}
	values := plain(t)
	for _, name := range []string{"env-1", "env-2", "file-1", "file-2"} {
		v.write("secrets/"+name+".age", fixture(t, name+".age"))
		v.canaries["the age secret "+name] = values[name]
		id := "age_" + strings.ReplaceAll(name, "-", "_")
		v.secret(id, "age", fmt.Sprintf("file(%q)", "secrets/"+name+".age"))
		v.deliver(id, values[name], strings.HasPrefix(name, "env"))
	}
}

func (v *vault) deliver(name, value string, asEnv bool) {
	if asEnv {
		v.env[strings.ToUpper(name)] = value
	} else {
		v.files[name] = value
	}
}

// bad declares secrets that do not resolve, each for another reason, and returns
// their names.
func (v *vault) bad() []string {
	t := v.environment.t
	values := plain(t)
	var names []string
	add := func(name, source, expression string) {
		names = append(names, name)
		v.secret(name, source, expression)
	}
	file := func(name, path string) { add(name, "file", fmt.Sprintf("%q", path)) }
	path := filepath.Join(v.root, "open_to_all")
	v.keep(path, v.canaries.plant("a file that everybody may write"), 0o666)
	file("open_to_all", path)

	path = filepath.Join(v.root, "oversize")
	v.keep(path, v.canaries.plant("a file that is too large")+strings.Repeat("x", 2<<20), 0o600)
	file("oversize", path)

	outside := filepath.Join(t.TempDir(), "outside")
	v.keep(outside, v.canaries.plant("a file outside of the allowed directory"), 0o600)
	file("outside", outside)

	path = filepath.Join(v.root, "link")
	if err := os.Symlink(outside, path); err != nil {
		t.Fatal(err)
	}
	file("link", path)

	path = filepath.Join(v.root, "directory")
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	v.keep(filepath.Join(path, "inside"), v.canaries.plant("a file in a directory that is named as a secret"), 0o600)
	file("directory", path)
	file("missing", filepath.Join(v.root, "missing"))

	// It resolves, but no engine takes it as a variable.
	path = filepath.Join(v.root, "binary")
	v.keep(path, v.canaries.plant("a secret with a zero byte")+"\x00"+v.canaries.plant("what follows the zero byte"), 0o600)
	file("binary", path)

	v.variable("OTHER_PREFIX", v.canaries.plant("a variable without the prefix"))
	add("no_prefix", "env", `"OTHER_PREFIX"`)
	token := filepath.Join(t.TempDir(), "token")
	v.keep(token, v.canaries.plant("the daemon's API token"), 0o600)
	v.set("TOKEN_FILE", token)
	v.set("GIT_USERNAME", v.canaries.plant("a variable of the daemon's own"))
	add("daemons_own", "env", `"FAIRLEAD_GIT_USERNAME"`)

	for _, name := range []string{"other-key", "trailing", "damaged"} {
		v.write("secrets/"+name+".age", fixture(t, name+".age"))
		v.canaries["the age secret "+name] = values[name]
		add("age_"+strings.ReplaceAll(name, "-", "_"), "age", fmt.Sprintf("file(%q)", "secrets/"+name+".age"))
	}
	v.inRepo["what follows an age file"] = values["trailing-text"]
	v.write("secrets/not.age", v.inRepo.plant("a value that somebody forgot to encrypt"))
	add("age_not", "age", `file("secrets/not.age")`)
	return names
}

// registry leaves credentials for a registry that nobody answers for.
func (v *vault) registry() (address string) {
	t := v.environment.t
	address = freeAddress(t)
	auth := base64.StdEncoding.EncodeToString([]byte("user:" + v.canaries.plant("the password of a registry")))
	v.canaries["the credentials of a registry"] = auth
	dir := t.TempDir()
	v.keep(filepath.Join(dir, "config.json"), fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, address, auth), 0o600)
	v.set("DOCKER_CONFIG", dir)
	return address
}

// variable sets a variable of the program that is no flag.
func (e *environment) variable(name, value string) { e.env = append(e.env, name+"="+value) }

// uses is a model's env and secrets arguments for all that resolves.
func (v *vault) uses(m model) model {
	m.env = maps.Clone(m.env)
	if m.env == nil {
		m.env = map[string]string{}
	}
	for name := range v.env {
		m.env[name] = "secret." + strings.ToLower(name)
	}
	m.body += "  secrets = {\n"
	for name := range v.files {
		m.body += fmt.Sprintf("    %s = secret.%s\n", name, name)
	}
	m.body += "  }\n"
	return m
}

// models are one that works, one for each secret that does not resolve, and one
// for each other way to fail.
func (v *vault) models(bad []string) []model {
	registry := v.registry()
	base := model{name: "vault", image: v.image, version: "1", replicas: 1}
	all := []model{v.uses(base)}
	for _, name := range bad {
		m := base
		m.name = "bad_" + name
		m.env = map[string]string{"VALUE": "secret." + name}
		m.body = fmt.Sprintf("  secrets = { value = secret.%s }\n", name)
		all = append(all, m)
	}
	for name, change := range map[string]func(*model){
		"missing_image":  func(m *model) { m.image = registry + "/nothing:1" },
		"denied":         func(m *model) { m.body = "  privileged = true\n" },
		"no_program":     func(m *model) { m.body = "  entrypoint = [\"/nowhere\"]\n" },
		"no_user":        func(m *model) { m.body = "  user = \"nobody-of-that-name\"\n" },
		"crashing":       func(m *model) { m.env = map[string]string{"CRASH": `"on purpose"`} },
		"never_healthy":  func(m *model) { m.deadline, m.body = "5s", "  port = 8081\n" },
		"denied_mount":   func(m *model) { m.body = "  mount \"/host\" {\n    type   = bind\n    source = \"/etc\"\n  }\n" },
		"bad_capability": func(m *model) { m.body = "  capabilities = [\"SYS_ADMIN\"]\n" },
	} {
		m := base
		m.name = name
		change(&m)
		all = append(all, v.uses(m))
	}
	return all
}

func TestSecretsShowNowhereButInTheContainer(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	v.good()
	bad := v.bad()
	models := v.models(bad)
	hcl := v.blocks.String()
	for _, m := range models {
		hcl += m.hcl()
	}
	commit := v.commitText(hcl)
	v.set("LISTEN", freeAddress(t))
	planted := len(v.canaries) + len(v.inRepo)
	if planted < 30 {
		t.Fatalf("only %d canaries are planted", planted)
	}

	printed := map[string]string{}
	say := func(args ...string) {
		out, code := v.fairlead(args...)
		if len(out) == 0 {
			t.Errorf("fairlead %v says nothing", args)
		}
		printed[fmt.Sprintf("fairlead %s (exit code %d)", strings.Join(args, " "), code)] = out
	}
	say("plan", v.dir)
	say("plan", v.dir, "--json")
	v.serve(v.dir)
	v.until("the working model serves and every other one has failed", func() bool {
		s, ok := v.status()
		if !ok || s.Commit.ID != commit || len(s.Models) != len(models) {
			return false
		}
		for i := range s.Models {
			m := &s.Models[i]
			if m.Name == "vault" && m.Phase != rollout.Steady || m.Name != "vault" && m.Error == "" && m.Phase != rollout.Degraded {
				return false
			}
		}
		return true
	})
	v.delivered()
	say("status")
	say("status", "--json")
	say("plan", v.dir)
	say("plan", v.dir, "--json")
	for _, path := range []string{"/metrics", "/api/v1/status", "/api/v1/plan", "/readyz", "/healthz"} {
		text, err := v.ask(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		printed[path] = string(text)
	}
	v.daemon.stop()
	printed["the log of serve"] = v.daemon.log.String()

	say("apply", v.dir, "--timeout", "20s")
	say("apply", v.dir, "--timeout", "20s", "--json")
	if shown := strings.Join(slices.Collect(maps.Values(printed)), ""); !strings.Contains(shown, "=(sensitive)") {
		t.Error("the output of the crashing model, which prints its secrets, is nowhere shown")
	}
	say("validate", v.dir)
	say("explain", "model.vault.env", v.dir)
	maps.Copy(printed, v.engineShows())

	for where, text := range printed {
		v.canaries.absent(t, where, text)
		v.inRepo.absent(t, where, text)
	}
	v.canaries.absent(t, "the data directory", stored(t, v.data))
	if out, code := v.fairlead("destroy", "--yes"); code != 0 {
		t.Errorf("destroy ends with %d: %s", code, out)
	}
	v.canaries.absent(t, "the directory of secret files, after destroy,", stored(t, v.secrets))
	t.Logf("%d canaries, %d places, %d bytes searched", planted, len(printed)+1, size(printed))
}

func size(texts map[string]string) (n int) {
	for _, text := range texts {
		n += len(text)
	}
	return n
}

// delivered checks that every secret is in the container that uses it, and under
// its name.
func (v *vault) delivered() {
	t := v.environment.t
	t.Helper()
	var seen struct {
		Env   []string
		Files map[string]string
	}
	if err := json.Unmarshal([]byte(v.fetch(v.url("vault")+"/seen")), &seen); err != nil {
		t.Fatal(err)
	}
	for name, value := range v.env {
		if !slices.Contains(seen.Env, name+"="+value) {
			t.Errorf("the variable %s of the container is not the secret", name)
		}
	}
	if !maps.Equal(seen.Files, v.files) {
		t.Errorf("the files below /run/secrets are %v, want %v", slices.Sorted(maps.Keys(seen.Files)), slices.Sorted(maps.Keys(v.files)))
	}
}

// engineShows is what everybody who may list sees at the engine: containers,
// their labels, networks and volumes. The variables of a container are in its
// inspection by nature; all else of it is not.
func (v *vault) engineShows() map[string]string {
	t := v.environment.t
	t.Helper()
	shown := map[string]string{}
	for _, path := range []string{"/containers/json?all=1&" + ofOwner(v.owner), "/networks?" + ofOwner(v.owner), "/volumes?" + ofOwner(v.owner)} {
		var raw json.RawMessage
		v.engine.must(http.MethodGet, path, nil, &raw)
		shown["the engine's "+path] = string(raw)
	}
	for _, c := range v.engine.containers(v.owner) {
		var raw map[string]json.RawMessage
		v.engine.must(http.MethodGet, "/containers/"+c.ID+"/json", nil, &raw)
		var config map[string]json.RawMessage
		if err := json.Unmarshal(raw["Config"], &config); err != nil {
			t.Fatal(err)
		}
		delete(config, "Env")
		raw["Config"] = nil
		shown[fmt.Sprintf("the inspection of %v", c.Names)] = fmt.Sprintf("%s %s", raw, config)
	}
	return shown
}

// stored is all that a directory holds.
func stored(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		all.Write(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// Credentials of Git show nowhere either, also where a server sends them back.
func TestCredentialsOfGitShowNowhere(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		user, password, _ := r.BasicAuth()
		w.Header().Set("Location", "http://"+user+":"+password+"@"+r.Host+r.URL.Path)
		http.Error(w, fmt.Sprintf("not with %v %s:%s", r.Header, user, password), http.StatusForbidden)
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	for name, address := range map[string]string{"a server that refuses": host, "no server": freeAddress(t)} {
		t.Run(name, func(t *testing.T) {
			planted := canaries{}
			inURL := "http://someone:" + planted.plant("the password in the URL") + "@" + address + "/models.git"
			token := filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(token, []byte(planted.plant("the token of Git")), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, repo := range []string{inURL, "http://" + address + "/models.git"} {
				e := newEnvironment(t)
				e.set("GIT_TOKEN_FILE", token)
				e.serve(repo)
				e.until("the failure shows, or the daemon refuses to start", func() bool {
					s, ok := e.status()
					return ok && s.Source.Error != "" || !e.daemon.running()
				})
				for _, args := range [][]string{{"status"}, {"status", "--json"}, {"plan", repo}, {"plan", repo, "--json"}} {
					out, _ := e.fairlead(args...)
					planted.absent(t, "fairlead "+args[0], out)
				}
				for _, path := range []string{"/metrics", "/api/v1/status", "/readyz"} {
					if text, err := e.ask(path); err == nil {
						planted.absent(t, path, string(text))
					}
				}
				e.daemon.kill()
				planted.absent(t, "the log of serve", e.daemon.log.String())
				planted.absent(t, "the data directory", stored(t, e.data))
			}
		})
	}
	if asked.Load() == 0 {
		t.Error("the server was never asked")
	}
}
