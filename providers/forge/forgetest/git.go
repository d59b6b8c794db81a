package forgetest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// gitTimeout is how long one git command may take.
const gitTimeout = 30 * time.Second

// environment keeps the configuration of the machine out.
func environment(more ...string) []string {
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "LC_ALL=C",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0",
	}, more...)
}

// git runs git in the repository and returns what it prints, trimmed.
func (r *Repo) git(stdin []byte, args ...string) (string, error) {
	return r.gitAs(nil, stdin, args...)
}

func (r *Repo) gitAs(env []string, stdin []byte, args ...string) (string, error) {
	return gitIn(r.dir, env, stdin, args...)
}

func gitIn(dir string, env []string, stdin []byte, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), gitTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = environment(env...)
	cmd.Stdin = bytes.NewReader(stdin)
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		return strings.TrimSpace(out.String()), fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(problem.String()+" "+out.String()))
	}
	return strings.TrimSpace(out.String()), nil
}

// identity is the environment of a commit.
func identity(author, committer *user) []string {
	return []string{
		"GIT_AUTHOR_NAME=" + author.login, "GIT_AUTHOR_EMAIL=" + author.email,
		"GIT_COMMITTER_NAME=" + committer.login, "GIT_COMMITTER_EMAIL=" + committer.email,
	}
}

// signing are the options before a git command that signs with a key; none: none.
func signing(keyFile string) []string {
	if keyFile == "" {
		return nil
	}
	return []string{"-c", "gpg.format=ssh", "-c", "user.signingKey=" + keyFile, "-c", "commit.gpgSign=true"}
}

// resolve returns the id of a revision, "" if there is none.
func (r *Repo) resolve(revision string) string {
	id, err := r.git(nil, "rev-parse", "--verify", "--quiet", revision)
	if err != nil {
		return ""
	}
	return id
}

// Commit changes files on a branch, which is made from main if it is not there, and
// returns the new commit. A file that is "" is removed.
func (r *Repo) Commit(login, branch, message string, files map[string]string) (string, error) {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	u, err := r.world.user(login)
	if err != nil {
		return "", err
	}
	parent := r.resolve("refs/heads/" + branch)
	if parent == "" {
		parent = r.resolve("refs/heads/main")
	}
	tree, err := r.changed(parent, files)
	if err != nil {
		return "", err
	}
	commit, err := r.commitTree(u, u, u.key, tree, message, parent)
	if err != nil {
		return "", err
	}
	if _, err := r.git(nil, "update-ref", "refs/heads/"+branch, commit); err != nil {
		return "", err
	}
	r.world.sync(u)
	return commit, nil
}

// changed is the tree of a commit with other files.
func (r *Repo) changed(commit string, files map[string]string) (tree string, err error) {
	scratch, err := os.MkdirTemp("", "forgetest-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	index := []string{"GIT_INDEX_FILE=" + filepath.Join(scratch, "index")}
	if commit != "" {
		if _, err := r.gitAs(index, nil, "read-tree", commit); err != nil {
			return "", err
		}
	}
	var info strings.Builder
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if files[path] == "" {
			fmt.Fprintf(&info, "0 %s\t%s\n", strings.Repeat("0", 40), path)
			continue
		}
		blob, err := r.git([]byte(files[path]), "hash-object", "-w", "--stdin")
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&info, "100644 %s\t%s\n", blob, path)
	}
	if _, err := r.gitAs(index, []byte(info.String()), "update-index", "--index-info"); err != nil {
		return "", err
	}
	return r.gitAs(index, nil, "write-tree")
}

func (r *Repo) commitTree(author, committer *user, key, tree, message string, parents ...string) (string, error) {
	args := append(signing(key), "commit-tree")
	if key != "" {
		args = append(args, "-S")
	}
	for _, p := range parents {
		if p != "" {
			args = append(args, "-p", p)
		}
	}
	return r.gitAs(identity(author, committer), []byte(message+"\n"), append(args, tree)...)
}

// mergeTree is the tree of a merge; a conflict is an error.
func (r *Repo) mergeTree(ours, theirs string) (string, error) {
	out, err := r.git(nil, "merge-tree", "--write-tree", ours, theirs)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errConflict, err)
	}
	tree, _, _ := strings.Cut(out, "\n")
	return tree, nil
}

// rebased replays the commits of head that base has not on base.
func (r *Repo) rebased(committer *user, key, base, head string) (string, error) {
	scratch, err := os.MkdirTemp("", "forgetest-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	tree := filepath.Join(scratch, "tree")
	if _, err := r.git(nil, "worktree", "add", "-q", "--detach", tree, head); err != nil {
		return "", err
	}
	defer func() { _, _ = r.git(nil, "worktree", "remove", "--force", tree) }()
	env := []string{"GIT_COMMITTER_NAME=" + committer.login, "GIT_COMMITTER_EMAIL=" + committer.email}
	if _, err := gitIn(tree, env, nil, append(signing(key), "rebase", "-q", "--force-rebase", base)...); err != nil {
		return "", fmt.Errorf("%w: %w", errConflict, err)
	}
	return gitIn(tree, nil, nil, "rev-parse", "HEAD")
}

// contents identifies what a head changes since it left a base, apart from where
// that was.
func (r *Repo) contents(base, head string) string {
	out, err := r.git(nil, "diff", "--full-index", base+"..."+head)
	if err != nil {
		return ""
	}
	return out
}
