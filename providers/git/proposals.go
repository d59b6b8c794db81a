package git

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/fairlead/fairlead/providers/git/signature"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

const (
	// proposalFolder holds every branch that Proposals writes to.
	proposalFolder = "fairlead/"
	// proposalTrailer names the branch in the message of a commit that Proposals
	// made. Together with the committer it tells such a commit from other people's.
	proposalTrailer = "Fairlead-Proposal"
)

// Proposals writes branches into the repository that a Source of the same options
// reads. It implements reconcile.Proposals.
//
// What a proposal is based on is read from where the Source keeps it: the
// repository on this machine, or the clone of the remote. The Source has to have
// read the remote once.
type Proposals struct {
	options Options
	by      Author
	link    link
	clones  clones // of a remote

	verifier signature.Verifier

	turn chan struct{} // holds one token: one proposal at a time
}

var _ reconcile.Proposals = (*Proposals)(nil)

// NewProposals returns what proposes changes to the repository of the options. by
// is who commits and signs; left empty it is Fairlead on this host. It touches neither disk
// nor network.
func NewProposals(o Options, by Author) (*Proposals, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	at, err := parseLocation(o.URL)
	if err != nil {
		return nil, err
	}
	p := &Proposals{
		options: o, by: by.withDefaults(), turn: make(chan struct{}, 1),
		link: link{location: at, auth: o.Auth, limits: o.Limits, timeout: o.Timeout, words: proposing, pace: new(pace)},
	}
	p.turn <- struct{}{}
	if at.local() {
		return p, nil
	}
	if o.DataDir == "" {
		return nil, fmt.Errorf("the clone of %s needs a data directory; set --data", at)
	}
	if err := o.Auth.check(at); err != nil {
		return nil, err
	}
	p.clones = newClones(o.DataDir, at.String(), o.wanted().String())
	return p, nil
}

var proposing = words{
	local: "propose to", remote: "propose to", need: "write to", what: "the proposal",
	meanwhile: "nothing was changed", again: "it is tried again",
}

// Propose implements reconcile.Proposals. The branch has to begin with fairlead/.
func (p *Proposals) Propose(ctx context.Context, proposal reconcile.Proposal) (reconcile.Proposed, error) {
	if err := p.check(proposal); err != nil {
		return reconcile.Proposed{}, err
	}
	var done reconcile.Proposed
	err := p.alone(ctx, func(ctx context.Context, base *clone) (err error) {
		made, err := p.commit(base, proposal)
		if err != nil {
			return err
		}
		done, err = p.place(ctx, base, proposal.Branch, made)
		return err
	})
	if err != nil {
		return reconcile.Proposed{}, fmt.Errorf("propose %s: %w", proposal.Branch, err)
	}
	return done, nil
}

// check refuses what is no proposal, before anything is read.
func (p *Proposals) check(proposal reconcile.Proposal) error {
	switch {
	case !ofProposals(proposal.Branch), proposal.Branch == p.options.Branch:
		return fmt.Errorf("%q cannot be the branch of a proposal: its name begins with %s, and it is neither a journal nor the branch that is followed", printable(proposal.Branch), proposalFolder)
	case !fullID.MatchString(proposal.Base):
		return fmt.Errorf("propose %s: the base %q is not a full commit id", proposal.Branch, printable(proposal.Base))
	case strings.TrimSpace(proposal.Message) == "":
		return fmt.Errorf("propose %s: a commit needs a message", proposal.Branch)
	}
	return nil
}

// journalFolder holds the branches of journals.
const journalFolder = "fairlead/journal/"

// alone calls do with the repository that has the base, when no other proposal is
// under way, and ends it in time. An operation that outlives its deadline is
// abandoned: it has nothing in common with the next one but files that are only
// ever added.
func (p *Proposals) alone(ctx context.Context, do func(ctx context.Context, base *clone) error) error {
	ctx, cancel := context.WithTimeout(ctx, p.options.Timeout)
	defer cancel()
	giveBack, err := take(ctx, p.turn)
	if err != nil {
		return passing(p.link.explain(ctx, fmt.Errorf("waiting for another proposal: %w", err)))
	}
	defer giveBack()
	done := make(chan error, 1)
	go func() {
		done <- recovering(func() error {
			base, err := p.open()
			if err != nil {
				return err
			}
			defer base.close()
			return do(ctx, base)
		})
	}()
	err, ended := await(ctx, done)
	if !ended {
		err = p.link.explain(ctx, context.Cause(ctx))
	}
	return passing(err)
}

// errBehind: what is here of the repository does not reach to the base of the
// proposal.
var errBehind = errors.New("the copy of the repository is not there yet")

// open opens the repository that holds the base.
func (p *Proposals) open() (*clone, error) {
	if p.link.location.local() {
		repo, err := openLocal(p.link.location.path)
		if err != nil {
			return nil, fmt.Errorf("there is nowhere to propose to, a proposal is a branch of a Git repository: %w", err)
		}
		return &clone{repository: *repo}, nil
	}
	base, err := p.clones.current()
	if err == nil && base == nil {
		err = fmt.Errorf("%w: %s has not been read", errBehind, p.link.location)
	}
	return base, err
}

// proposed is a commit that is ready to be pushed.
type proposed struct {
	commit  *object.Commit
	objects []plumbing.EncodedObject // all that the base has not got, the commit last
}

func (m *proposed) id() plumbing.Hash { return m.objects[len(m.objects)-1].Hash() }

// commit makes the one commit of a proposal.
func (p *Proposals) commit(base *clone, proposal reconcile.Proposal) (*proposed, error) {
	parent := plumbing.NewHash(proposal.Base)
	if !base.has(parent) {
		return nil, fmt.Errorf("%w: %s has no commit %s to propose on", errBehind, base.path, shortHash(parent))
	}
	on, err := base.commit(parent)
	if err != nil {
		return nil, err
	}
	edit := &treeEdit{repo: &base.repository}
	tree, err := edit.apply(on.TreeHash, p.options.Path, proposal.Files)
	if err != nil {
		return nil, err
	}
	if tree == on.TreeHash {
		return nil, fmt.Errorf("it changes nothing: all of it is in the commit %s already", shortHash(parent))
	}
	by := p.by.at(time.Now().Truncate(time.Second))
	commit := &object.Commit{Author: by, Committer: by, Message: proposalMessage(proposal), TreeHash: tree, ParentHashes: []plumbing.Hash{parent}}
	encoded, err := sealedCommit(commit, p.by.Signer)
	if err != nil {
		return nil, err
	}
	return &proposed{commit: commit, objects: append(edit.made, encoded)}, nil
}

// proposalMessage is the message with our trailer, which goes with those that are
// there. It loses what could steer a terminal.
func proposalMessage(proposal reconcile.Proposal) string {
	lines := strings.Split(strings.ReplaceAll(proposal.Message, "\r\n", "\n"), "\n")
	for i, line := range lines {
		indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
		lines[i] = strings.TrimRight(indent+printable(line), " ")
	}
	message := strings.Trim(strings.Join(lines, "\n"), "\n")
	between := "\n\n"
	if len(parseTrailers(message)) > 0 {
		between = "\n"
	}
	return message + between + proposalTrailer + ": " + proposal.Branch + "\n"
}

// place makes the branch hold the commit, unless it holds the same already. What
// it held is replaced only as long as it is what was looked at.
func (p *Proposals) place(ctx context.Context, base *clone, branch string, made *proposed) (reconcile.Proposed, error) {
	to := newUpstream(p.link, plumbing.NewBranchReferenceName(branch))
	done := reconcile.Proposed{Branch: branch, Remote: p.link.location.String()}
	var moved error
	for range maxRaces {
		tip, err := to.tip(ctx)
		if err != nil {
			return done, err
		}
		if !tip.IsZero() {
			there, foreign, err := p.look(ctx, to, base, branch, tip, made.commit.ParentHashes)
			switch {
			case err != nil:
				return done, err
			case foreign != "":
				return done, fmt.Errorf("%w: %s of %s, %q, %s; merge it, or delete the branch", reconcile.ErrNotOurs,
					shortHash(tip), branch, printable(subjectOf(there.Message)), foreign)
			case sameProposal(there, made.commit):
				done.Commit = tip.String()
				return done, nil
			}
		}
		moved = to.put(ctx, tip, made.id(), made.objects)
		if moved == nil {
			p.keep(ctx, base, made)
			done.Commit, done.Pushed = made.id().String(), true
			return done, nil
		}
		if !errors.Is(moved, errMoved) {
			return done, moved
		}
	}
	return done, p.link.explain(ctx, fmt.Errorf("the branch %s could not be moved %d times: %w; somebody else writes to it, or the server lets no branch be rewritten: delete the branch there", branch, maxRaces, moved))
}

// look reads the commit that a branch has, and fetches it if it is not here. foreign says
// why it was not made here for the branch; "": it was.
func (p *Proposals) look(ctx context.Context, from upstream, base *clone, branch string, tip plumbing.Hash, known []plumbing.Hash) (there *object.Commit, foreign string, err error) {
	if !base.has(tip) {
		if p.link.location.local() {
			return nil, "", fmt.Errorf("%w: the commit %s is missing", errUnreadable, tip)
		}
		if err := from.fetch(ctx, base, tip, known); err != nil {
			return nil, "", err
		}
	}
	if there, err = base.commit(tip); err != nil {
		return nil, "", err
	}
	foreign, err = p.foreign(base, there, branch)
	return there, foreign, err
}

// foreign says why a commit was not made here for the branch; "": it was. The host may
// have been another one. Anybody can write a name and a trailer, so where there is a key
// only what it has signed is ours: after a change of keys what was proposed with the old
// one is for people to merge or to delete.
func (p *Proposals) foreign(base *clone, c *object.Commit, branch string) (string, error) {
	ours := c.Committer.Name == p.by.Name && (c.Committer.Email == p.by.Email || strings.HasPrefix(c.Committer.Email, defaultMailbox))
	if !ours || !slices.Contains(parseTrailers(c.Message)[proposalTrailer], branch) {
		return "is by " + printable(c.Committer.Name), nil
	}
	if p.by.Signer == nil {
		return "", nil
	}
	raw, err := base.read(plumbing.CommitObject, c.Hash, maxMetaObject)
	if err != nil {
		return "", err
	}
	check := p.verifier.Verify(raw, []spec.Signer{{Name: "proposals", SSH: []string{p.by.Signer.PublicKey()}}})
	if check.State != reconcile.SignatureGood {
		return "is not signed with the key of this daemon (" + check.Reason + ")", nil
	}
	return "", nil
}

// sameProposal compares all but who committed, and when.
func sameProposal(a, b *object.Commit) bool {
	return a.TreeHash == b.TreeHash && a.Message == b.Message && slices.Equal(a.ParentHashes, b.ParentHashes)
}

// keep stores what was pushed in the clone, so that the next look need not fetch
// it. The repository on this machine has it.
func (p *Proposals) keep(ctx context.Context, base *clone, made *proposed) {
	if p.link.location.local() {
		return
	}
	if pack, err := packOf(made.objects); err == nil {
		_ = base.store(ctx, pack, p.options.Limits) // or it is fetched
	}
}

// Tag implements reconcile.Proposals.
func (p *Proposals) Tag(ctx context.Context, name, commit, message string) error {
	ref := plumbing.NewTagReferenceName(name)
	switch {
	case ref.Validate() != nil:
		return fmt.Errorf("%q cannot be the name of a tag", printable(name))
	case !fullID.MatchString(commit):
		return fmt.Errorf("write the tag %s: %q is not a full commit id", name, printable(commit))
	}
	err := p.alone(ctx, func(ctx context.Context, _ *clone) error {
		by := p.by.at(time.Now())
		tag := &object.Tag{Name: name, Tagger: by, Message: strings.TrimSpace(message) + "\n", TargetType: plumbing.CommitObject, Target: plumbing.NewHash(commit)}
		made, err := sealedTag(tag, p.by.Signer)
		if err != nil {
			return err
		}
		to := newUpstream(p.link, ref)
		var moved error
		for range maxRaces {
			there, err := to.tip(ctx)
			if err != nil || !there.IsZero() {
				return err
			}
			if moved = to.put(ctx, plumbing.ZeroHash, made.Hash(), []plumbing.EncodedObject{made}); !errors.Is(moved, errMoved) {
				return moved
			}
		}
		return p.link.explain(ctx, moved)
	})
	if err != nil {
		return fmt.Errorf("write the tag %s: %w", name, err)
	}
	return nil
}

func subjectOf(message string) string {
	subject, _, _ := strings.Cut(strings.TrimLeft(message, "\n"), "\n")
	return subject
}
