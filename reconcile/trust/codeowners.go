package trust

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hmarr/codeowners"
)

// Dialect is how CODEOWNERS is read: forges differ in what the same line means.
type Dialect string

// The dialects.
const (
	// GitHub: patterns as in .gitignore, a slash inside anchors at the top, the last
	// that matches wins.
	GitHub Dialect = "github"
	// GitLab: as GitHub, but only a leading slash anchors. Files with sections are
	// refused.
	GitLab Dialect = "gitlab"
	// Gitea, and Forgejo: regular expressions over the whole path, ! negates, and
	// each that matches counts.
	Gitea Dialect = "gitea"
)

// codeownersPaths are where CODEOWNERS may be, from the top of the repository.
var codeownersPaths = []string{
	"CODEOWNERS", ".github/CODEOWNERS", ".gitlab/CODEOWNERS", ".gitea/CODEOWNERS", ".forgejo/CODEOWNERS", "docs/CODEOWNERS",
}

func isCodeowners(path string) bool { return slices.Contains(codeownersPaths, path) }

// Codeowners says whose approval a path needs. The zero value gives no path to
// anybody.
type Codeowners struct {
	files []ownersFile
}

// ownersFile is one file: for a path the lists of owners of each of which one has to
// approve.
type ownersFile func(path string) [][]string

// ParseCodeowners reads the files of a commit, by path. Where there are several, each
// of them counts. The error says which file and line cannot be understood.
func ParseCodeowners(files map[string][]byte, dialect Dialect) (Codeowners, error) {
	var c Codeowners
	for _, path := range codeownersPaths {
		data, found := files[path]
		if !found {
			continue
		}
		parse := patterns
		if dialect == Gitea || strings.HasPrefix(path, ".gitea/") || strings.HasPrefix(path, ".forgejo/") {
			parse = expressions
		}
		file, err := parse(data, dialect)
		if err != nil {
			return Codeowners{}, fmt.Errorf("%s: %w", path, err)
		}
		c.files = append(c.files, file)
	}
	return c, nil
}

// Of returns the lists of owners of a path: somebody of each has to approve.
func (c Codeowners) Of(path string) [][]string {
	var all [][]string
	for _, file := range c.files {
		all = append(all, file(path)...)
	}
	return all
}

// What a file may hold. The scanner of the library stops without a word at lines of
// 64 KiB, and to match takes as long as the pattern is, for each path.
const (
	maxOwnersLine    = 32 << 10 // bytes
	maxOwnersPattern = 512      // bytes
	maxOwnersLines   = 10_000
)

var errTooMuch = errors.New("it is too long")

// patterns reads the dialects of GitHub and GitLab.
func patterns(data []byte, dialect Dialect) (ownersFile, error) {
	lines := strings.Split(string(data), "\n")
	if len(lines) > maxOwnersLines {
		return nil, errTooMuch
	}
	for i, text := range lines {
		line, err := pattern(strings.TrimSpace(text), dialect)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		lines[i] = line
	}
	rules, err := codeowners.ParseFile(strings.NewReader(strings.Join(lines, "\n")), codeowners.WithOwnerMatchers([]codeowners.OwnerMatcher{codeowners.OwnerMatchFunc(anyOwner)}))
	if err != nil {
		return nil, err
	}
	return func(path string) [][]string {
		rule, err := rules.Match(path)
		if err != nil {
			return [][]string{nil} // nobody can approve
		}
		if rule == nil || len(rule.Owners) == 0 {
			return nil
		}
		owners := make([]string, len(rule.Owners))
		for i, o := range rule.Owners {
			owners[i] = o.Value
		}
		return [][]string{owners}
	}, nil
}

// pattern refuses what the library would misread, and makes one of GitLab mean to it
// what it means there.
func pattern(line string, dialect Dialect) (string, error) {
	if line == "" || line[0] == '#' {
		return "", nil
	}
	first := strings.Fields(line)[0]
	switch {
	case len(line) > maxOwnersLine || len(first) > maxOwnersPattern:
		return "", errTooMuch
	case first[0] == '[' || strings.HasPrefix(first, "^["):
		return "", errors.New("sections are not supported; write the owners without them")
	case strings.Contains(first, "#"):
		return "", errors.New("a # inside of a pattern is not supported")
	case strings.Trim(first, "/") == "" || strings.Contains(first, "//"):
		return "", fmt.Errorf("the pattern %q matches nothing", first)
	}
	if dialect == GitLab && first[0] != '/' && !strings.HasPrefix(first, "**/") {
		return "**/" + line, nil
	}
	return line, nil
}

var ownerName = regexp.MustCompile(`\A@[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*\z`)

// anyOwner takes logins and teams, of nested groups too, and addresses: nobody can
// approve by these, but they are owners.
func anyOwner(s string) (codeowners.Owner, error) {
	at := strings.Index(s, "@")
	if at > 0 && at < len(s)-1 || ownerName.MatchString(s) {
		return codeowners.Owner{Value: s, Type: codeowners.UsernameOwner}, nil
	}
	return codeowners.Owner{}, codeowners.ErrNoMatch
}

// expression is a line of Gitea's dialect.
type expression struct {
	matches *regexp.Regexp
	negated bool
	owners  []string
}

// expressions reads the dialect of Gitea.
func expressions(data []byte, _ Dialect) (ownersFile, error) {
	lines := bytes.Split(data, []byte("\n"))
	if len(lines) > maxOwnersLines {
		return nil, errTooMuch
	}
	var rules []expression
	for i, line := range lines {
		tokens := tokens(string(line))
		if len(tokens) == 0 {
			continue
		}
		rule, err := readExpression(tokens)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		rules = append(rules, rule)
	}
	return func(path string) [][]string {
		var all [][]string
		for _, rule := range rules {
			if rule.matches.MatchString(path) != rule.negated {
				all = append(all, rule.owners)
			}
		}
		return all
	}, nil
}

func readExpression(tokens []string) (expression, error) {
	text, negated := strings.CutPrefix(tokens[0], "!")
	if len(text) > maxOwnersPattern {
		return expression{}, errTooMuch
	}
	matches, err := regexp.Compile(`\A(?:` + text + `)\z`)
	if err != nil {
		return expression{}, fmt.Errorf("%q is no regular expression: %w", text, err)
	}
	if len(tokens) == 1 {
		return expression{}, errors.New("it names no owner")
	}
	for _, owner := range tokens[1:] {
		if _, err := anyOwner(owner); err != nil {
			return expression{}, fmt.Errorf("%q is no owner", owner)
		}
	}
	return expression{matches, negated, slices.Clone(tokens[1:])}, nil
}

// tokens cuts a line as Gitea does: at spaces, up to a #; a backslash takes the next
// letter as it is.
func tokens(line string) []string {
	var all []string
	var token strings.Builder
	end := func() {
		if token.Len() > 0 {
			all = append(all, token.String())
			token.Reset()
		}
	}
	escaped := false
	for _, c := range strings.TrimSpace(line) {
		switch {
		case escaped:
			token.WriteRune(c)
			escaped = false
		case c == '\\':
			escaped = true
		case c == '#':
			end()
			return all
		case c == ' ' || c == '\t':
			end()
		default:
			token.WriteRune(c)
		}
	}
	end()
	return all
}
