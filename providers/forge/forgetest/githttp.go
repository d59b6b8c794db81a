package forgetest

import (
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// serveGit serves a repository by Git's smart HTTP protocol. Who pushes has to be a
// writer, who reads a private repository a reader.
func (w *World) serveGit(rw http.ResponseWriter, r *http.Request) {
	name, isRepo := strings.CutSuffix(r.PathValue("repo"), ".git")
	w.mu.Lock()
	repo := w.repos[r.PathValue("owner")+"/"+name]
	u, credential := w.authenticate(r)
	private := repo != nil && repo.private
	w.mu.Unlock()
	push := strings.HasSuffix(r.URL.Path, "/git-receive-pack") || r.URL.Query().Get("service") == "git-receive-pack"
	switch {
	case (credential || push || private) && u == nil:
		rw.Header().Set("WWW-Authenticate", `Basic realm="Gitea"`)
		http.Error(rw, "a token is needed", http.StatusUnauthorized)
		return
	case !isRepo || repo == nil || private && !repo.mayRead(u.login):
		http.NotFound(rw, r)
		return
	case push && !repo.mayWrite(u.login):
		http.Error(rw, u.login+" may not write", http.StatusForbidden)
		return
	}
	backend, err := gitBackend()
	if err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	who := ""
	if u != nil {
		who = u.login
	}
	handler := &cgi.Handler{
		Path: backend,
		Env: append(environment(), "GIT_PROJECT_ROOT="+w.dir, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER="+who,
			"GIT_PROTOCOL="+r.Header.Get("Git-Protocol")),
		Stderr: discard{},
	}
	handler.ServeHTTP(rw, r)
	if push {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.sync(u)
	}
}

// discard takes what git-http-backend says when a client hangs up.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func gitBackend() (string, error) {
	cmd := exec.Command("git", "--exec-path") //nolint:noctx // it prints a constant
	cmd.Env = append(environment(), "PATH="+os.Getenv("PATH"))
	out, err := cmd.Output()
	if err != nil {
		return "", err
	}
	return filepath.Join(strings.TrimSpace(string(out)), "git-http-backend"), nil
}
