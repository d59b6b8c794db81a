package git_test

import (
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"testing"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
)

// set makes the worktree hold exactly the files and commits it.
func (r *repo) set(files map[string]string) {
	r.t.Helper()
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != ".git" {
			if err := os.RemoveAll(filepath.Join(r.dir, e.Name())); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	for name, content := range files {
		r.write(name, content)
	}
	r.commit("set")
}

func TestSourceKeepsThePort(t *testing.T) {
	// Each transport publishes the repository and says how to reach it.
	transports := map[string]func(t *testing.T, r *repo) git.Options{
		"local": func(_ *testing.T, r *repo) git.Options { return git.Options{URL: r.dir} },
		"file":  func(_ *testing.T, r *repo) git.Options { return git.Options{URL: "file://" + r.dir} },
		"http":  func(t *testing.T, r *repo) git.Options { return git.Options{URL: newServer(t, false).publish(r)} },
		"https": func(t *testing.T, r *repo) git.Options {
			s := newServer(t, true)
			s.hook(requireToken)
			return git.Options{URL: s.publish(r), Auth: git.Auth{CAFile: s.authority(t), TokenFile: tokenFile(t, token)}}
		},
		"ssh": func(t *testing.T, r *repo) git.Options {
			k := sshKeys(t)
			address := sshServer(t, k)
			host, port, _ := net.SplitHostPort(address)
			k.write(t, "known_hosts", fmt.Sprintf("[%s]:%s %s\n", host, port, k.read(t, "host.pub")))
			me, err := user.Current()
			if err != nil {
				t.Skipf("the user is not known: %v", err)
			}
			return git.Options{URL: fmt.Sprintf("ssh://%s@%s%s", me.Username, address, r.dir), Auth: k.auth}
		},
	}
	for name, publish := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			providertest.SourceSuite(t, func(t *testing.T) (reconcile.Source, func(map[string]string)) {
				r := newRepo(t)
				r.commit("start")
				options := publish(t, r)
				options.Branch, options.DataDir = "main", t.TempDir()
				return mustNew(t, options), func(files map[string]string) {
					r.set(files)
					if _, err := r.try("", "remote", "get-url", "origin"); err == nil {
						r.git("push", "-q", "origin", "main")
					}
				}
			})
		})
	}
}
