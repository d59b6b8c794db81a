package main

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const (
	root   = "../.."
	module = "github.com/fairlead/fairlead"
)

// above lists, for each layer, the layers that it must not know. Imports run one
// way: spec, reconcile, providers, cmd.
var above = map[string][]string{
	"spec":      {"reconcile", "providers", "cmd"},
	"reconcile": {"providers", "cmd"},
	"providers": {"cmd"},
	"cmd":       {},
}

// homes says where each library lives, tests included. A move to its successor
// then touches that package alone.
var homes = map[string][]string{
	"code.gitea.io/sdk/gitea":                        {"providers/forge/gitea"},
	"github.com/ProtonMail/go-crypto":                {"providers/git/signature"},
	"code.dny.dev/ssrf":                              {"providers/download", "providers/notify"},
	"filippo.io/age":                                 {"providers/secret"},
	"github.com/Masterminds/semver/v3":               {"reconcile/update", "spec/lang"},
	"github.com/adhocore/gronx":                      {"reconcile/schedule", "spec/lang"},
	"github.com/caddyserver/certmagic":               {"providers/gateway/edge"},
	"github.com/distribution/reference":              {"providers/docker"},
	"github.com/docker":                              {"providers/docker"},
	"github.com/fsnotify/fsnotify":                   {"providers/watch"},
	"github.com/go-git":                              {"providers/git"},
	"github.com/go-jose/go-jose/v4":                  {"providers/gateway/edge"},
	"github.com/golang-jwt/jwt":                      {"providers/forge/github"},
	"github.com/google/go-containerregistry":         {"providers/oci"}, // of its tests
	"github.com/google/go-github":                    {"providers/forge/github"},
	"github.com/hashicorp/hcl/v2":                    {"spec/lang"},
	"github.com/hiddeco/sshsig":                      {"providers/git/signature"},
	"github.com/hmarr/codeowners":                    {"reconcile/trust"},
	"github.com/letsencrypt/pebble/v2":               {"providers/gateway/edge"}, // of its tests
	"github.com/moby":                                {"providers/docker"},
	"github.com/modelpack":                           {"providers/oci"},
	"github.com/opencontainers":                      {"providers/docker", "providers/oci"},
	"github.com/prometheus/client_golang":            {"providers/gateway", "providers/metrics", "providers/providertest", "cmd/fairlead/internal/app"},
	"github.com/prometheus/prometheus":               {"providers/metrics"},
	"github.com/standard-webhooks/standard-webhooks": {"providers/webhook", "providers/notify"},
	"github.com/spf13/cobra":                         {"cmd/fairlead/internal/cli"},
	"github.com/wneessen/go-mail":                    {"providers/notify"},
	"github.com/zclconf":                             {"spec/lang"},
	"gitlab.com/gitlab-org/api":                      {"providers/forge/gitlab"},
	"go.yaml.in/yaml/v3":                             {"spec/lang", "providers/secret"},
	"go.uber.org/zap":                                {"providers/gateway/edge"}, // certmagic's log
	"oras.land/oras-go/v2":                           {"providers/oci"},
	"github.com/rogpeppe/go-internal/testscript":     {"cmd/fairlead"},
}

// forTests are the providers that the tests of the layers below cmd may use: the
// ports in memory, the suites that hold providers to them, and the stores that need
// nothing but a directory.
var forTests = []string{"providers/memory", "providers/providertest", "providers/oci", "providers/runstore", "providers/forge/forgetest"}

// testsOnly is never in the program: forges that are none.
var testsOnly = []string{"providers/forge/forgetest", "providers/forge/internal/world"}

// listed is what `go list` says of a package.
type listed struct {
	ImportPath string
	Standard   bool
	Imports    []string

	TestImports, XTestImports []string // of its own tests only
}

// in returns the path below the module, and whether the package is in it.
func in(importPath string) (path string, ours bool) {
	return strings.CutPrefix(importPath, module+"/")
}

func layer(path string) string {
	first, _, _ := strings.Cut(path, "/")
	return first
}

func TestImportsRunOneWay(t *testing.T) {
	packages := list(t)
	for _, p := range packages {
		path, ours := in(p.ImportPath)
		if !ours {
			continue
		}
		forbidden, known := above[layer(path)]
		if !known {
			t.Errorf("%s is in no layer; there are %v", path, slices.Sorted(maps.Keys(above)))
		}
		check := func(imports, allowed []string) {
			for _, imported := range imports {
				if to, ours := in(imported); ours && slices.Contains(forbidden, layer(to)) && !slices.Contains(allowed, to) {
					t.Errorf("%s imports %s, which is above it", path, to)
				}
			}
		}
		check(p.Imports, nil)
		check(slices.Concat(p.TestImports, p.XTestImports), forTests)
	}
}

func TestTheDomainKnowsTheStandardLibraryOnly(t *testing.T) {
	packages := list(t)
	for _, domain := range []string{module + "/spec", module + "/spec/expr"} { // whose expressions are a part of it
		for _, imported := range packages[domain].Imports {
			if !packages[imported].Standard && imported != module+"/spec/expr" {
				t.Errorf("%s imports %s; only the standard library may stand below the domain", domain, imported)
			}
		}
	}
}

func TestProvidersDoNotKnowEachOther(t *testing.T) {
	for _, p := range list(t) {
		from, isOurs := in(p.ImportPath)
		if !isOurs || layer(from) != "providers" {
			continue
		}
		check := func(imports, allowed []string) {
			for _, imported := range imports {
				to, isOurs := in(imported)
				if isOurs && layer(to) == "providers" && provider(to) != provider(from) && !shared(to) && !slices.Contains(allowed, to) {
					t.Errorf("%s imports %s; what providers share belongs into reconcile, what joins them into cmd", from, to)
				}
			}
		}
		check(p.Imports, nil)
		check(slices.Concat(p.TestImports, p.XTestImports), forTests)
	}
}

// provider returns the directory of the provider that a package belongs to. Each forge
// is one.
func provider(path string) string {
	parts := strings.Split(path, "/")
	if parts[1] == "forge" && len(parts) > 2 {
		return parts[2]
	}
	return parts[1]
}

// shared is how all forges are called; nothing outside of providers/forge can import it.
func shared(path string) bool { return below(path, "providers/forge/internal") }

func TestDoublesAreNotInTheProgram(t *testing.T) {
	for _, p := range list(t) {
		from, ours := in(p.ImportPath)
		if !ours || slices.Contains(testsOnly, from) {
			continue
		}
		for _, imported := range p.Imports {
			if to, _ := in(imported); slices.Contains(testsOnly, to) {
				t.Errorf("%s imports %s, which is for tests", from, to)
			}
		}
	}
}

func TestEachLibraryHasOneHome(t *testing.T) {
	for _, p := range list(t) {
		path, ours := in(p.ImportPath)
		if !ours {
			continue
		}
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			for library, home := range homes {
				if below(imported, library) && !slices.ContainsFunc(home, func(h string) bool { return below(path, h) }) {
					t.Errorf("%s imports %s, which lives in %s", path, imported, strings.Join(home, " and "))
				}
			}
		}
	}
}

func TestWhatIsForTestsIsNoPartOfTheProgram(t *testing.T) {
	packages := list(t)
	seen := map[string]bool{}
	next := []string{module + "/cmd/fairlead"}
	for len(next) > 0 {
		name := next[len(next)-1]
		next = next[:len(next)-1]
		path, ours := in(name)
		if seen[name] || !ours {
			continue
		}
		seen[name] = true
		if slices.Contains(packages[name].Imports, "testing") {
			t.Errorf("%s is linked into the program, and imports testing", path)
		}
		next = append(next, packages[name].Imports...)
	}
	if len(seen) < 10 {
		t.Errorf("the program consists of %d packages only: the test proves nothing", len(seen))
	}
}

func below(path, prefix string) bool {
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

func TestTopLevelHoldsNothingElse(t *testing.T) {
	allowed := []string{
		"cmd", "reconcile", "spec", "providers", "examples", "go.mod", "go.sum", "Makefile", "README.md", "LICENSE",
		"bin", // what `make build` writes; not in Git
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if name := entry.Name(); !strings.HasPrefix(name, ".") && !slices.Contains(allowed, name) {
			t.Errorf("%s stands at the top level; it holds %s and dot-files", name, strings.Join(allowed, ", "))
		}
	}
}

// list returns every package that the program and its tests consist of.
func list(t *testing.T) map[string]listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Standard,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = root
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("run go list: %v", err)
	}
	packages := map[string]listed{}
	for decoder := json.NewDecoder(out); ; {
		var p listed
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("read what go list says: %v", err)
		}
		packages[p.ImportPath] = p
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("go list: %v", err)
	}
	return packages
}
