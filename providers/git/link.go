package git

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
)

// link is the way to one repository: where it is, how to prove who we are, and
// what its answers may cost.
type link struct {
	location location
	auth     Auth
	limits   Limits
	timeout  time.Duration
	words    words
	pace     *pace // nil: the word of the server is kept nowhere
}

// words fit the messages of a link to what it is for.
type words struct {
	local, remote string // what is done with a repository on this machine, with a remote
	need          string // what the remote has to allow
	what          string // what is written
	meanwhile     string // how things stand while it fails
	again         string // when it is tried again
}

var reading = words{local: "read", remote: "fetch", need: "read", meanwhile: "the last good revision stays", again: "the next poll tries again"}

// fetcher is a conversation with the remote's git-upload-pack.
type fetcher interface {
	AdvertisedReferencesContext(ctx context.Context) (*packp.AdvRefs, error)
	UploadPack(ctx context.Context, req *packp.UploadPackRequest) (*packp.UploadPackResponse, error)
	Close() error
}

// pusher is a conversation with the remote's git-receive-pack.
type pusher interface {
	AdvertisedReferencesContext(ctx context.Context) (*packp.AdvRefs, error)
	ReceivePack(ctx context.Context, req *packp.ReferenceUpdateRequest) (*packp.ReportStatus, error)
	Close() error
}

// fetcher begins a conversation.
func (l link) fetcher(ctx context.Context) (fetcher, error) {
	if err := l.pace.check(time.Now()); err != nil {
		return nil, err
	}
	if l.location.endpoint.Protocol == "ssh" {
		return l.dialSSH(ctx, uploadPack)
	}
	return l.fetchHTTP()
}

// pusher begins a conversation.
func (l link) pusher(ctx context.Context) (pusher, error) {
	if err := l.pace.check(time.Now()); err != nil {
		return nil, err
	}
	if l.location.endpoint.Protocol == "ssh" {
		return l.dialSSH(ctx, receivePack)
	}
	return l.pushHTTP()
}

// receive fetches the wanted objects and what they need into the clone, which has
// the known commits.
func (l link) receive(ctx context.Context, into *clone, wants, known []plumbing.Hash) (err error) {
	conversation, err := l.fetcher(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conversation.Close()) }()
	refs, err := conversation.AdvertisedReferencesContext(ctx)
	if err != nil {
		return err
	}
	request := packp.NewUploadPackRequestFromCapabilities(refs.Capabilities)
	if refs.Capabilities.Supports(capability.NoProgress) {
		if err := request.Capabilities.Set(capability.NoProgress); err != nil {
			return err
		}
	}
	request.Wants = wants
	request.Haves = known
	response, err := conversation.UploadPack(ctx, request)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, response.Close()) }()
	return into.store(ctx, demultiplexed(request.Capabilities, response), l.limits)
}

// demultiplexed takes the pack out of the stream that the server agreed to send.
func demultiplexed(agreed *capability.List, stream io.Reader) io.Reader {
	switch {
	case agreed.Supports(capability.Sideband64k):
		return sideband.NewDemuxer(sideband.Sideband64k, stream)
	case agreed.Supports(capability.Sideband):
		return sideband.NewDemuxer(sideband.Sideband, stream)
	default:
		return stream
	}
}
