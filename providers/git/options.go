package git

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

// Options say which repository to read and how.
type Options struct {
	// URL is a path or file:// (read in place), http(s)://, ssh:// or
	// USER@HOST:PATH.
	URL string
	// Branch is followed. Empty: the branch that HEAD of the repository names.
	Branch string
	// Ref is read instead of the Branch: a branch, a tag, a full commit id or a
	// full name below refs/. It is for looking at a revision once, so its
	// history is not judged.
	Ref string
	// Path is the directory of the repository that holds the specs. Nothing
	// outside of it is read. Empty or ".": all of it.
	Path string
	// DataDir keeps the clone of a remote, in a directory git below it.
	DataDir string
	// Accepted is the commit that was accepted last before a restart, if it is
	// known: history that does not lead on from it counts as rewritten.
	Accepted  string
	OnRewrite OnRewrite
	Auth      Auth
	// Timeout ends one Latest; zero: 60 s.
	Timeout time.Duration
	Limits  Limits
}

// OnRewrite says what to do when the history of the branch does not lead on from
// the commit that was accepted last.
type OnRewrite string

// The policies for rewritten history. The zero value is Follow.
const (
	Follow OnRewrite = "follow" // accept it, and say so
	Refuse OnRewrite = "refuse" // keep the last good revision, and say so
)

// Limits bound what a repository may cost. Zero fields take their defaults.
type Limits struct {
	// Tree bounds what lies below the path.
	Tree reconcile.TreeLimits
	// Transfer bounds the bytes that one fetch may receive; zero: 512 MiB.
	Transfer int64
	// Objects bounds the objects of one fetch; zero: 2,000,000.
	Objects int
	// ObjectSize bounds any object of the repository, also outside of the path:
	// go-git needs a few times this much memory; zero: 64 MiB.
	ObjectSize int64
	// RefTransfer and RefObjects take the place of Transfer and Objects, where they are
	// smaller, for a ref that is not followed, as the head of a pull request, which may be
	// anybody's; zero: 64 MiB and 200,000.
	RefTransfer int64
	RefObjects  int
	// Inflated bounds all objects of one fetch together; zero: 4 GiB.
	Inflated int64
}

func (l Limits) withDefaults() Limits {
	l.Tree = l.Tree.WithDefaults()
	if l.Transfer == 0 {
		l.Transfer = 512 << 20
	}
	if l.Objects == 0 {
		l.Objects = 2_000_000
	}
	if l.ObjectSize == 0 {
		l.ObjectSize = 64 << 20
	}
	if l.RefTransfer == 0 {
		l.RefTransfer = 64 << 20
	}
	if l.RefObjects == 0 {
		l.RefObjects = 200_000
	}
	if l.Inflated == 0 {
		l.Inflated = 4 << 30
	}
	return l
}

// ofRef are the limits of a ref that is not followed.
func (l Limits) ofRef() Limits {
	l.Transfer, l.Objects = min(l.Transfer, l.RefTransfer), min(l.Objects, l.RefObjects)
	return l
}

var fullID = regexp.MustCompile(`^[0-9a-f]{40}$`)

// withDefaults checks the options and fills in what was left open.
func (o Options) withDefaults() (Options, error) {
	if o.URL == "" {
		return o, errors.New("no Git repository is named; set --repo to a URL or a path")
	}
	if o.OnRewrite == "" {
		o.OnRewrite = Follow
	}
	if o.OnRewrite != Follow && o.OnRewrite != Refuse {
		return o, fmt.Errorf("%q is no policy for rewritten history; use %s or %s", o.OnRewrite, Follow, Refuse)
	}
	if o.Accepted != "" && !fullID.MatchString(o.Accepted) {
		return o, fmt.Errorf("%q is not a full commit id", o.Accepted)
	}
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	clean := path.Clean("/" + o.Path)[1:]
	if strings.Contains("/"+o.Path+"/", "/../") || strings.HasPrefix(o.Path, "/") {
		return o, fmt.Errorf("the path %q does not stay inside of the repository; write it relative to the top and without any .. in it", o.Path)
	}
	o.Path = clean
	o.Limits = o.Limits.withDefaults()
	return o, nil
}

// wanted is what a revision is looked up by.
func (o Options) wanted() wanted {
	if o.Ref != "" {
		return wanted{ref: o.Ref}
	}
	return wanted{branch: o.Branch, follow: true}
}

// wanted names the revision to read.
type wanted struct {
	follow bool   // a branch whose history counts
	branch string // "": the one of HEAD
	ref    string
}

// names lists the full ref names that may be meant, the likeliest first.
func (w wanted) names() []string {
	switch {
	case w.ref == "" && w.branch == "":
		return []string{"HEAD"}
	case w.ref == "":
		return []string{"refs/heads/" + w.branch}
	case strings.HasPrefix(w.ref, "refs/"), w.ref == "HEAD":
		return []string{w.ref}
	default:
		return []string{"refs/heads/" + w.ref, "refs/tags/" + w.ref}
	}
}

// id is the commit id that is wanted, "" if a name is.
func (w wanted) id() string {
	if fullID.MatchString(w.ref) {
		return w.ref
	}
	return ""
}

// String is for messages.
func (w wanted) String() string {
	switch {
	case w.ref != "":
		return w.ref
	case w.branch != "":
		return "branch " + w.branch
	default:
		return "the default branch"
	}
}
