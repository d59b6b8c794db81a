package git

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// FetchRef implements [reconcile.Commits]. In the clone of a remote what was fetched
// is noted below refs/fairlead/ref/, where it is in nobody's way. Latest does not wait
// for it, and it may cost less, as it may be anybody's: see Limits.
func (s *Source) FetchRef(ctx context.Context, ref string) (string, error) {
	name := plumbing.ReferenceName(ref)
	if err := name.Validate(); err != nil || !strings.HasPrefix(ref, "refs/") {
		return "", fmt.Errorf("%q is no full name of a ref, as refs/pull/7/head", printable(ref))
	}
	if s.link.location.local() {
		return read(ctx, s, func(_ context.Context, repo *repository, _ state) (string, error) {
			found, err := repo.ref(name)
			if errors.Is(err, plumbing.ErrReferenceNotFound) {
				return "", &notFoundError{wanted: wanted{ref: ref}}
			}
			if err != nil {
				return "", fmt.Errorf("%w: the ref %s cannot be read: %w", errUnreadable, ref, err)
			}
			id, err := repo.peel(found.Hash())
			return id.String(), err
		})
	}
	return s.fetchRef(ctx, name)
}

// fetchRef fetches a ref of a remote beside the turn: the clone only gains objects. Where
// Latest replaces the clone meanwhile, it begins again with the new one.
func (s *Source) fetchRef(ctx context.Context, name plumbing.ReferenceName) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	giveBack, err := s.take(ctx, s.refs)
	if err != nil {
		return "", err
	}
	defer giveBack()
	id, err := bounded(ctx, func() (plumbing.Hash, error) {
		const tries = 3
		for n := 1; ; n++ {
			id, at, err := s.fetchIntoCurrent(ctx, name)
			if at == s.currentClones().currentPath() || n == tries || ctx.Err() != nil {
				return id, err
			}
		}
	})
	switch {
	case errors.Is(err, errOutlived):
		return "", s.explain(ctx, context.Cause(ctx))
	case err != nil:
		if giveBack, busy := take(ctx, s.turn); busy == nil { // or the next one finds the same
			s.distrust(err)
			giveBack()
		}
		return "", s.explain(ctx, err)
	}
	return id.String(), nil
}

// fetchIntoCurrent fetches one ref into the clone that is current now, and returns the
// path of that.
func (s *Source) fetchIntoCurrent(ctx context.Context, name plumbing.ReferenceName) (id plumbing.Hash, path string, err error) {
	into, err := fetched(s.currentClones())
	if err != nil {
		return plumbing.ZeroHash, "", err
	}
	defer into.close()
	id, err = s.fetchInto(ctx, into, name)
	return id, into.path, damaged(into, err)
}

// fetchInto fetches one ref of the remote into the clone.
func (s *Source) fetchInto(ctx context.Context, into *clone, name plumbing.ReferenceName) (plumbing.Hash, error) {
	remote, err := s.advertised(ctx, wanted{ref: string(name)})
	if err != nil {
		return plumbing.ZeroHash, err
	}
	noted := plumbing.ReferenceName("refs/fairlead/ref/" + strings.TrimPrefix(string(name), "refs/"))
	if !into.has(remote.object) {
		known := append(into.known(fetchedRef), into.known(noted)...)
		way := s.link
		way.limits = way.limits.ofRef()
		if err := way.receive(ctx, into, []plumbing.Hash{remote.object}, known); err != nil {
			return plumbing.ZeroHash, fmt.Errorf("the ref %s: %w", name, err)
		}
	}
	if !into.has(remote.object) {
		return plumbing.ZeroHash, fmt.Errorf("%w: the fetch succeeded without the commit %s", errUnreadable, remote.object)
	}
	if err := into.note(noted, remote.object); err != nil {
		return plumbing.ZeroHash, fmt.Errorf("note the fetched ref in the clone: %w", err)
	}
	return into.peel(remote.object)
}
