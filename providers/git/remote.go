package git

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// maxPacks is how many fetches a clone takes before it is made anew, so that it
// never has too many packs to look through.
const maxPacks = 200

// latestRemote asks the remote for its tip, fetches what the clone lacks, and
// accepts. A clone that does not read is replaced by a fresh one, once.
func (s *Source) latestRemote(ctx context.Context, before state, clones clones) (state, error) {
	remote, err := s.advertised(ctx, s.options.wanted())
	if err != nil {
		return state{}, err
	}
	if before.snapshot != nil && before.accepted == remote.commit && maps.Equal(before.tags, remote.tags) {
		return before, nil
	}
	have, err := clones.current()
	if err != nil {
		return state{}, err
	}
	if have != nil && have.packs() < maxPacks {
		after, err := s.fetchAndAccept(ctx, have, before, remote)
		have.close()
		if !errors.Is(err, errUnreadable) {
			return after, err
		}
	}
	return s.cloneAnew(ctx, clones, before, remote)
}

// cloneAnew makes a fresh clone beside what there is, and puts it in place if it
// reads.
func (s *Source) cloneAnew(ctx context.Context, clones clones, before state, remote target) (after state, err error) {
	fresh, err := clones.create()
	if err != nil {
		return state{}, err
	}
	defer fresh.close()
	after, err = s.fetchAndAccept(ctx, fresh, before, remote)
	if err == nil {
		err = clones.adopt(ctx, fresh)
	}
	if err != nil {
		_ = os.RemoveAll(fresh.path) // sweep removes it later if this fails
		return state{}, err
	}
	clones.sweep(fresh)
	return after, nil
}

func (s *Source) fetchAndAccept(ctx context.Context, into *clone, before state, remote target) (after state, err error) {
	err = recovering(func() error {
		id, err := s.fetch(ctx, into, remote)
		if err != nil {
			return err
		}
		after, err = s.accept(ctx, &into.repository, before, id, remote.ref)
		after.tags = remote.tags
		return err
	})
	return after, err
}

// target is what the remote has for the wanted revision.
type target struct {
	object plumbing.Hash // what the ref names: a commit, or an annotated tag
	commit plumbing.Hash // the commit behind it
	ref    string        // short name
	// tags are the annotated tags on the commit, by name.
	tags map[string]plumbing.Hash
	// all is set where a commit is wanted that no ref names: every branch and
	// tag has to be fetched to find it.
	all []plumbing.Hash
}

// advertised asks the remote what it has for a revision.
func (s *Source) advertised(ctx context.Context, w wanted) (target, error) {
	conversation, err := s.link.fetcher(ctx)
	if err != nil {
		return target{}, err
	}
	refs, err := conversation.AdvertisedReferencesContext(ctx)
	closeErr := conversation.Close()
	if errors.Is(err, transport.ErrEmptyRemoteRepository) {
		return target{}, &notFoundError{wanted: w}
	}
	if err := errors.Join(err, closeErr); err != nil {
		return target{}, err
	}
	return pick(refs, w)
}

// pick finds the wanted revision among the advertised ones.
func pick(refs *packp.AdvRefs, w wanted) (target, error) {
	if id := w.id(); id != "" {
		return pickCommit(refs, plumbing.NewHash(id)), nil
	}
	for _, name := range w.names() {
		id, ok := refs.References[name]
		if name == "HEAD" && refs.Head != nil {
			id, ok = *refs.Head, true
		}
		if !ok {
			continue
		}
		commit := id
		if peeled, annotated := refs.Peeled[name]; annotated {
			commit = peeled
		}
		return target{object: id, commit: commit, ref: shownName(refs, name), tags: tagsOn(refs, commit)}, nil
	}
	return target{}, &notFoundError{wanted: w, have: branches(refs)}
}

// shownName is the branch that HEAD stands for, or the short name.
func shownName(refs *packp.AdvRefs, name string) string {
	if name == "HEAD" {
		for _, symref := range refs.Capabilities.Get(capability.SymRef) {
			if target, ok := strings.CutPrefix(symref, "HEAD:"); ok {
				name = target
			}
		}
	}
	return plumbing.ReferenceName(name).Short()
}

// pickCommit wants a commit by its id. A server need not give out an object that
// no ref names, so everything is fetched where none does.
func pickCommit(refs *packp.AdvRefs, id plumbing.Hash) target {
	found := target{object: id, commit: id, ref: id.String()}
	for name, at := range refs.References {
		if at == id {
			found.all = nil // a ref names it after all
			return found
		}
		if strings.HasPrefix(name, "refs/heads/") || strings.HasPrefix(name, "refs/tags/") {
			found.all = append(found.all, at)
		}
	}
	return found
}

// branches lists a few branches for a message.
func branches(refs *packp.AdvRefs) []string {
	var names []string
	for name := range refs.References {
		if branch, ok := strings.CutPrefix(name, "refs/heads/"); ok {
			names = append(names, printable(branch))
		}
	}
	slices.Sort(names)
	return names[:min(len(names), 8)]
}

// fetch makes sure that the clone has the remote's objects, notes the tip as a
// ref, and returns its commit.
func (s *Source) fetch(ctx context.Context, into *clone, remote target) (plumbing.Hash, error) {
	defer into.beginWriting()()
	if wants := into.lacks(remote); len(wants) > 0 {
		if err := s.link.receive(ctx, into, wants, into.known(fetchedRef)); err != nil {
			return plumbing.ZeroHash, err
		}
	}
	if !into.has(remote.object) {
		if remote.all != nil {
			return plumbing.ZeroHash, fmt.Errorf("no branch and no tag holds the commit %s", remote.object)
		}
		// The trap: a fetch that succeeds and brings nothing.
		return plumbing.ZeroHash, fmt.Errorf("%w: the fetch succeeded without the commit %s", errUnreadable, remote.object)
	}
	// Also where it is the same: by its time sweep knows that the clone is in use.
	if err := writeRef(into.path, fetchedRef, remote.object); err != nil {
		return plumbing.ZeroHash, fmt.Errorf("note the fetched commit in the clone: %w", err)
	}
	if err := into.noteTags(remote.tags); err != nil {
		return plumbing.ZeroHash, err
	}
	return into.peel(remote.object)
}

// lacks lists the objects to be asked for.
func (c *clone) lacks(remote target) []plumbing.Hash {
	var wants []plumbing.Hash
	if !c.has(remote.object) {
		if wants = remote.all; wants == nil {
			wants = []plumbing.Hash{remote.object}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(remote.tags)) {
		if !c.has(remote.tags[name]) {
			wants = append(wants, remote.tags[name])
		}
	}
	return wants
}

// fetchedRef is the one ref of a clone: what was fetched last. The next fetch
// tells the remote that it need not send this again.
const fetchedRef plumbing.ReferenceName = "refs/fairlead/fetched"

// known lists commits that the clone has: the last tip, and ever fewer of those
// before it, so that a rewritten branch still finds where it parted.
func (c *clone) known(tip plumbing.ReferenceName) []plumbing.Hash {
	ref, err := c.stores[0].Reference(tip)
	if err != nil {
		return nil // a fresh clone
	}
	id, err := c.peel(ref.Hash())
	if err != nil {
		return nil // does not read: the remote shall send everything
	}
	known := []plumbing.Hash{id}
	for distance, next := 1, 1; distance <= 256; distance++ {
		commit, err := c.commit(id)
		if err != nil || len(commit.ParentHashes) == 0 {
			break
		}
		id = commit.ParentHashes[0]
		if distance == next {
			known = append(known, id)
			next *= 2
		}
	}
	return known
}
