package git

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// commitFacts is what a raw commit says.
type commitFacts struct {
	tree          plumbing.Hash
	parents       []plumbing.Hash
	author, email string
	when          time.Time // of the committer
	subject       string
}

// facts reads a commit. Other than go-git it takes none that says a thing twice, of
// which one word might be signed and the other followed.
func (r *repository) facts(id plumbing.Hash) (commitFacts, error) {
	raw, err := r.read(plumbing.CommitObject, id, maxMetaObject)
	if err != nil {
		return commitFacts{}, err
	}
	facts, err := parseCommit(raw)
	if err != nil {
		return facts, fmt.Errorf("commit %s is not sound: %w", shortHash(id), err)
	}
	return facts, nil
}

// existing is facts of a commit that need not be there: its lack is no damage.
func (r *repository) existing(id plumbing.Hash) (commitFacts, error) {
	if !r.has(id) {
		return commitFacts{}, fmt.Errorf("it has no commit %s", id)
	}
	return r.facts(id)
}

// parseCommit reads tree, parents, author and committer, which stand in this order at
// the beginning and nowhere else.
func parseCommit(raw []byte) (commitFacts, error) {
	head, message, _ := bytes.Cut(raw, []byte("\n\n"))
	lines := strings.Split(strings.TrimSuffix(string(head), "\n"), "\n")
	c := commitFacts{}
	next := func(name string) (string, bool) {
		if len(lines) == 0 {
			return "", false
		}
		value, ok := strings.CutPrefix(lines[0], name+" ")
		if ok {
			lines = lines[1:]
		}
		return value, ok
	}
	value, ok := next("tree")
	if !ok || !fullID.MatchString(value) {
		return c, errors.New("it does not begin with its tree")
	}
	c.tree = plumbing.NewHash(value)
	for value, ok = next("parent"); ok; value, ok = next("parent") {
		if !fullID.MatchString(value) {
			return c, errors.New("a parent of it is no id")
		}
		c.parents = append(c.parents, plumbing.NewHash(value))
	}
	author, ok := next("author")
	if !ok {
		return c, errors.New("its author is not where it belongs")
	}
	committer, ok := next("committer")
	if !ok {
		return c, errors.New("its committer is not where it belongs")
	}
	for _, line := range lines {
		switch name, _, _ := strings.Cut(line, " "); name {
		case "tree", "parent", "author", "committer":
			return c, fmt.Errorf("it has %s again in a wrong place", name)
		}
	}
	who, _, err := parsePerson(author)
	if err != nil {
		return c, fmt.Errorf("its author: %w", err)
	}
	c.author = printable(who)
	if at := strings.LastIndex(who, "<"); at >= 0 {
		c.email = printable(strings.TrimSuffix(who[at+1:], ">"))
	}
	if _, c.when, err = parsePerson(committer); err != nil {
		return c, fmt.Errorf("its committer: %w", err)
	}
	subject, _, _ := strings.Cut(strings.TrimLeft(string(message), "\n"), "\n")
	c.subject = printable(subject)
	return c, nil
}

// parsePerson reads "Name <mail> SECONDS ZONE".
func parsePerson(s string) (who string, when time.Time, err error) {
	end := strings.LastIndex(s, "> ")
	if end < 0 || !strings.Contains(s[:end], "<") {
		return "", when, errors.New("it has no address")
	}
	seconds, zone, ok := strings.Cut(s[end+2:], " ")
	at, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || !ok || len(zone) != 5 || at < 0 || at > 1<<40 {
		return "", when, errors.New("it has no time")
	}
	return s[:end+1], time.Unix(at, 0).UTC(), nil
}
