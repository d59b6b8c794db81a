package git

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/fairlead/fairlead/spec"
)

// judgeHistory compares the commit with the one that was accepted last. It
// returns notes for the operator, or an error where history was rewritten and
// the policy is to refuse that.
func (s *Source) judgeHistory(ctx context.Context, repo *repository, accepted plumbing.Hash, commit *object.Commit) ([]string, error) {
	w := s.options.wanted()
	if accepted.IsZero() || accepted == commit.Hash || !w.follow {
		return nil, nil
	}
	forward, complete, err := repo.isAncestor(ctx, accepted, commit)
	if err != nil || forward {
		return nil, err
	}
	what := fmt.Sprintf("history of %s was rewritten: %s is no ancestor of %s", w, shortHash(accepted), shortHash(commit.Hash))
	if !complete {
		what = fmt.Sprintf("history of %s may have been rewritten: the repository is shallow and does not show whether %s leads to %s",
			w, shortHash(accepted), shortHash(commit.Hash))
	} else if rewound(ctx, repo, accepted, commit.Hash) {
		what = fmt.Sprintf("%s was set back from %s to its ancestor %s", w, shortHash(accepted), shortHash(commit.Hash))
	}
	if s.options.OnRewrite == Refuse {
		return nil, fmt.Errorf("%s; the revision %s stays; push %s again, or accept the new history by starting once with --on-rewrite follow",
			what, shortHash(accepted), shortHash(accepted))
	}
	return []string{what}, nil
}

// rewound tells whether the branch went back to a commit that it had before. It
// only makes the message better, so not knowing counts as no.
func rewound(ctx context.Context, repo *repository, from, to plumbing.Hash) bool {
	if !repo.has(from) {
		return false
	}
	commit, err := repo.commit(from)
	if err != nil {
		return false
	}
	back, _, err := repo.isAncestor(ctx, to, commit)
	return err == nil && back
}

// commitOf is the commit in the words of package spec.
func commitOf(c *object.Commit, ref string) spec.Commit {
	subject, _, _ := strings.Cut(strings.TrimLeft(c.Message, "\n"), "\n")
	return spec.Commit{
		ID:       c.Hash.String(),
		Ref:      ref,
		Author:   printable(fmt.Sprintf("%s <%s>", c.Author.Name, c.Author.Email)),
		Subject:  printable(subject),
		Time:     c.Committer.When,
		Trailers: parseTrailers(c.Message),
	}
}

// printable leaves out what could steer a terminal or hide text in a page.
func printable(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, strings.ToValidUTF8(s, "")))
}

var trailerLine = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9-]*)\s*:\s+(.*)$`)

// parseTrailers reads the "Key: value" lines of the last paragraph. A paragraph
// with any other line is prose, and the first paragraph is the subject. A line
// that begins with a space goes on with the value above it.
func parseTrailers(message string) map[string][]string {
	paragraphs := strings.Split(strings.TrimSpace(strings.ReplaceAll(message, "\r\n", "\n")), "\n\n")
	if len(paragraphs) < 2 {
		return nil
	}
	trailers := map[string][]string{}
	last := "" // key of the line above
	for line := range strings.SplitSeq(strings.Trim(paragraphs[len(paragraphs)-1], "\n"), "\n") {
		if continued := strings.TrimLeft(line, " \t"); continued != line && last != "" {
			values := trailers[last]
			values[len(values)-1] += " " + printable(continued)
			continue
		}
		match := trailerLine.FindStringSubmatch(line)
		if match == nil {
			return nil
		}
		last = match[1]
		trailers[last] = append(trailers[last], printable(match[2]))
	}
	return trailers
}
