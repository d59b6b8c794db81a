package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// upstream is a ref that is written to: the branch that a journal is delivered to,
// or that of a proposal. Its errors are for people.
type upstream interface {
	// tip is the newest commit; zero: there is no branch.
	tip(ctx context.Context) (plumbing.Hash, error)
	// fetch brings a commit, and all that it needs beyond the known ones.
	fetch(ctx context.Context, into *clone, tip plumbing.Hash, known []plumbing.Hash) error
	// push moves the branch over a batch of commits, oldest first, that begins
	// on top of old. The error is errMoved if the branch is not there.
	push(ctx context.Context, from *store, old plumbing.Hash, batch []plumbing.Hash) error
	// put moves the ref from old to next, together with objects that the
	// repository may not have. The error wraps errMoved if the ref is not there.
	put(ctx context.Context, old, next plumbing.Hash, objects []plumbing.EncodedObject) error
	// remove deletes the ref, which is at old; else the error wraps errMoved.
	remove(ctx context.Context, old plumbing.Hash) error
}

func newUpstream(l link, branch plumbing.ReferenceName) upstream {
	if l.location.local() {
		return localUpstream{link: l, branch: branch, loose: defaultLoose}
	}
	return remoteUpstream{link: l, branch: branch}
}

// remoteUpstream is spoken to over http or ssh.
type remoteUpstream struct {
	link   link
	branch plumbing.ReferenceName
}

func (u remoteUpstream) tip(ctx context.Context) (tip plumbing.Hash, err error) {
	err = recovering(func() error {
		conversation, err := u.link.fetcher(ctx)
		if err != nil {
			return err
		}
		refs, err := conversation.AdvertisedReferencesContext(ctx)
		if err := errors.Join(err, conversation.Close()); err != nil {
			return err
		}
		tip = refs.References[u.branch.String()]
		return nil
	})
	if errors.Is(err, transport.ErrEmptyRemoteRepository) {
		return plumbing.ZeroHash, nil
	}
	if err != nil {
		return plumbing.ZeroHash, u.link.explain(ctx, err)
	}
	return tip, nil
}

func (u remoteUpstream) fetch(ctx context.Context, into *clone, tip plumbing.Hash, known []plumbing.Hash) error {
	err := recovering(func() error {
		if err := u.link.receive(ctx, into, []plumbing.Hash{tip}, known); err != nil {
			return err
		}
		if !into.has(tip) { // go-git can report a success and bring nothing
			return fmt.Errorf("%w: the fetch succeeded without the commit %s", errUnreadable, tip)
		}
		return nil
	})
	switch {
	case err == nil:
		return nil
	case strings.Contains(err.Error(), "not our ref"): // somebody moved the branch between two questions
		return fmt.Errorf("%w: %w", errMoved, u.link.explain(ctx, err))
	default:
		return u.link.explain(ctx, err)
	}
}

func (u remoteUpstream) push(ctx context.Context, from *store, old plumbing.Hash, batch []plumbing.Hash) error {
	pack, err := packBatch(from, batch)
	if err != nil {
		return fmt.Errorf("deliver the journal: %w", err)
	}
	return u.deliver(ctx, old, batch[len(batch)-1], pack)
}

func (u remoteUpstream) put(ctx context.Context, old, next plumbing.Hash, objects []plumbing.EncodedObject) error {
	pack, err := packOf(objects)
	if err != nil {
		return err
	}
	return u.deliver(ctx, old, next, pack)
}

func (u remoteUpstream) remove(ctx context.Context, old plumbing.Hash) error {
	return u.deliver(ctx, old, plumbing.ZeroHash, nil)
}

func (u remoteUpstream) deliver(ctx context.Context, old, next plumbing.Hash, pack io.Reader) error {
	err := recovering(func() error { return u.send(ctx, old, next, pack) })
	if err == nil || errors.Is(err, errMoved) {
		return err
	}
	return u.link.explain(ctx, err)
}

// packBatch makes a pack of what comes with a batch of commits.
func packBatch(from *store, batch []plumbing.Hash) (pack io.Reader, err error) {
	err = from.view(func(repo *clone) error {
		ids, err := introducedBy(&repo.repository, batch)
		if err != nil {
			return err
		}
		pack, err = encodePack(repo.stores[0], ids, packWindow)
		return err
	})
	return pack, err
}

// introducedBy lists the objects that come with commits, each once.
func introducedBy(repo *repository, commits []plumbing.Hash) ([]plumbing.Hash, error) {
	var ids []plumbing.Hash
	seen := map[plumbing.Hash]bool{}
	for _, commit := range commits {
		with, err := introduced(repo, commit)
		if err != nil {
			return nil, err
		}
		for _, id := range with {
			if !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	return ids, nil
}

// send moves the ref from old to next if it is at old; with a nil pack it is deleted. The server compares old
// once more, so nothing is lost that somebody else wrote there, whatever next is.
func (u remoteUpstream) send(ctx context.Context, old, next plumbing.Hash, pack io.Reader) (err error) {
	conversation, err := u.link.pusher(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if closed := conversation.Close(); err == nil {
			err = closed
		}
	}()
	refs, err := conversation.AdvertisedReferencesContext(ctx)
	switch {
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		refs = packp.NewAdvRefs()
	case err != nil:
		return err
	}
	if refs.References[u.branch.String()] != old {
		return errMoved
	}
	request := packp.NewReferenceUpdateRequestFromCapabilities(refs.Capabilities)
	said := new(firstBytes)
	if refs.Capabilities.Supports(capability.Sideband64k) {
		if err := request.Capabilities.Set(capability.Sideband64k); err != nil {
			return err
		}
		request.Progress = said
	}
	request.Commands = []*packp.Command{{Name: u.branch, Old: old, New: next}}
	if pack != nil {
		request.Packfile = io.NopCloser(pack)
	} else if err := request.Capabilities.Set(capability.DeleteRefs); err != nil {
		return err
	}
	report, err := conversation.ReceivePack(ctx, request)
	if report == nil {
		if err == nil {
			err = fmt.Errorf("the remote does not say whether it took %s", u.link.words.what)
		}
		return err
	}
	return refused(report, said.line(), u.link.words.what)
}

// refused turns the report of a push into an error. A branch that somebody else
// moves at this very moment is told by its name.
func refused(report *packp.ReportStatus, said, what string) error {
	reason := ""
	if report.UnpackStatus != "ok" {
		reason = report.UnpackStatus
	}
	for _, command := range report.CommandStatuses {
		if command.Status != "ok" {
			reason = command.Status
		}
	}
	switch {
	case reason == "":
		return nil
	case strings.Contains(reason, "failed to update ref"), strings.Contains(reason, "cannot lock ref"), strings.Contains(reason, "fetch first"), strings.Contains(reason, "non-fast-forward"):
		return fmt.Errorf("%w: %s", errMoved, reason)
	case said != "":
		return fmt.Errorf("the remote refuses %s: %s; it says %q", what, reason, said)
	default:
		return fmt.Errorf("the remote refuses %s: %s; let fairlead write to the branch", what, reason)
	}
}
