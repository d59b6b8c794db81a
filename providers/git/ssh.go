package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// sshSession is a conversation over ssh. go-git's own does not end with its
// context while it shakes hands, reads the user's ssh_config, and asks an agent.
// This one does what Options say and ends when it should.
type sshSession struct {
	program string
	client  *ssh.Client
	session *ssh.Session
	stdin   io.WriteCloser
	stdout  io.Reader
	stderr  *firstBytes
	release func() bool // unbinds the connection from its context

	refs *packp.AdvRefs
	done bool // the server knows that nothing more will come
}

// The programs of the other side.
const (
	uploadPack  = "git-upload-pack"
	receivePack = "git-receive-pack"
)

// dialSSH connects, and starts a program on the other side. The connection is cut
// when ctx ends.
func (l link) dialSSH(ctx context.Context, program string) (*sshSession, error) {
	at, auth := l.location, l.auth
	port := at.endpoint.Port
	if port <= 0 {
		port = gitssh.DefaultPort
	}
	address := net.JoinHostPort(strings.Trim(at.endpoint.Host, "[]"), strconv.Itoa(port))
	config, err := auth.sshConfig(at, address)
	if err != nil {
		return nil, err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	release := context.AfterFunc(ctx, func() { _ = conn.Close() })
	connection, channels, requests, err := ssh.NewClientConn(conn, address, config)
	if err != nil {
		release()
		_ = conn.Close() // has failed already
		return nil, explainSSH(err, address, at, auth)
	}
	s := &sshSession{program: program, client: ssh.NewClient(connection, channels, requests), stderr: new(firstBytes), release: release}
	if err := s.start(at.endpoint.Path, l.limits.Transfer); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// start runs the program for the repository at path.
func (s *sshSession) start(path string, limit int64) (err error) {
	if s.session, err = s.client.NewSession(); err != nil {
		return err
	}
	if s.stdin, err = s.session.StdinPipe(); err != nil {
		return err
	}
	stdout, err := s.session.StdoutPipe()
	if err != nil {
		return err
	}
	left := limit + protocolOverhead
	s.stdout = &meter{from: stdout, left: &left}
	s.session.Stderr = s.stderr
	return s.session.Start(s.program + " " + shellQuote(path))
}

// AdvertisedReferencesContext implements fetcher and pusher. To fetch from an
// empty repository is an error, to push to it is not.
func (s *sshSession) AdvertisedReferencesContext(ctx context.Context) (*packp.AdvRefs, error) {
	if s.refs != nil {
		return s.refs, nil
	}
	refs := packp.NewAdvRefs()
	err := refs.Decode(s.stdout)
	switch {
	case errors.Is(err, packp.ErrEmptyAdvRefs), err == nil && refs.IsEmpty() && s.program == uploadPack:
		return nil, transport.ErrEmptyRemoteRepository
	case err != nil:
		return nil, s.explain(ctx, err)
	}
	transport.FilterUnsupportedCapabilities(refs.Capabilities)
	s.refs = refs
	return refs, nil
}

// UploadPack implements fetcher.
func (s *sshSession) UploadPack(ctx context.Context, req *packp.UploadPackRequest) (*packp.UploadPackResponse, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	var message bytes.Buffer
	if err := errors.Join(
		req.UploadRequest.Encode(&message),
		req.UploadHaves.Encode(&message, true),
		pktline.NewEncoder(&message).Encodef("done\n"),
	); err != nil {
		return nil, err
	}
	s.done = true
	if _, err := message.WriteTo(s.stdin); err != nil {
		return nil, s.explain(ctx, err)
	}
	if err := s.stdin.Close(); err != nil {
		return nil, s.explain(ctx, err)
	}
	response := packp.NewUploadPackResponse(req)
	if err := response.Decode(io.NopCloser(s.stdout)); err != nil {
		return nil, s.explain(ctx, err)
	}
	return response, nil
}

// ReceivePack implements pusher.
func (s *sshSession) ReceivePack(ctx context.Context, req *packp.ReferenceUpdateRequest) (*packp.ReportStatus, error) {
	s.done = true
	// A server that refuses may close its end while it is still being written to.
	// What it says is worth more than that.
	sent := req.Encode(s.stdin)
	_ = s.stdin.Close() // has failed if Encode has
	answer := s.stdout
	if req.Capabilities.Supports(capability.Sideband64k) {
		demuxer := sideband.NewDemuxer(sideband.Sideband64k, s.stdout)
		demuxer.Progress = req.Progress
		answer = demuxer
	}
	report := packp.NewReportStatus()
	if err := report.Decode(answer); err != nil {
		if sent != nil {
			err = sent
		}
		return nil, s.explain(ctx, err)
	}
	return report, report.Error()
}

// Close implements fetcher and pusher. A server to which nothing was asked is told so with
// a flush, else it would log an error.
func (s *sshSession) Close() error {
	defer s.release()
	if s.session != nil && s.stdin != nil && !s.done {
		_, _ = s.stdin.Write(pktline.FlushPkt) // the server may have gone
	}
	err := s.client.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil // cut by the context, or by the server
	}
	return err
}

// explain adds what the server wrote to its error output.
func (s *sshSession) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s.awaitEnd(ctx)
	if said := s.stderr.line(); said != "" {
		return fmt.Errorf("the server says %q: %w", said, err)
	}
	return err
}

// awaitEnd gives a server that ended the conversation the time to say why: its
// error output comes on a channel of its own, and may arrive after its end.
func (s *sshSession) awaitEnd(ctx context.Context) {
	ended := make(chan struct{})
	go func() { // ends at the latest with Close
		defer close(ended)
		_ = s.session.Wait() // how it ended is in stderr
	}()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

// sshConfig has the key of the operator and the host keys that are trusted.
func (a Auth) sshConfig(at location, address string) (*ssh.ClientConfig, error) {
	signer, err := a.signer()
	if err != nil {
		return nil, err
	}
	files, err := a.knownHosts()
	if err != nil {
		return nil, err
	}
	hosts, err := gitssh.NewKnownHostsDb(files...)
	if err != nil {
		return nil, fmt.Errorf("read the host keys in %s: %w", strings.Join(files, " and "), err)
	}
	user := at.user
	if user == "" {
		user = "git"
	}
	return &ssh.ClientConfig{
		User:              user,
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback:   hosts.HostKeyCallback(),
		HostKeyAlgorithms: hosts.HostKeyAlgorithms(address),
	}, nil
}

// signer reads the private key. The errors of the parser are not passed on: they
// are about the content of a key.
func (a Auth) signer() (ssh.Signer, error) {
	key, err := readSmall(a.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("read the ssh key: %w", err)
	}
	if a.KeyPassphraseFile == "" {
		signer, err := ssh.ParsePrivateKey([]byte(key))
		if _, locked := errors.AsType[*ssh.PassphraseMissingError](err); locked {
			return nil, fmt.Errorf("the ssh key %s has a passphrase; put it into a file and set --git-ssh-passphrase-file FILE", a.KeyFile)
		}
		if err != nil {
			return nil, fmt.Errorf("%s is no private ssh key; ssh-keygen -t ed25519 makes one", a.KeyFile)
		}
		return signer, nil
	}
	passphrase, err := readSmall(a.KeyPassphraseFile)
	if err != nil {
		return nil, fmt.Errorf("read the passphrase of the ssh key: %w", err)
	}
	signer, err := ssh.ParsePrivateKeyWithPassphrase([]byte(key), []byte(strings.TrimRight(passphrase, "\r\n")))
	if err != nil {
		return nil, fmt.Errorf("the ssh key %s does not open with the passphrase in %s", a.KeyFile, a.KeyPassphraseFile)
	}
	return signer, nil
}

// knownHosts lists the files with host keys that exist.
func (a Auth) knownHosts() ([]string, error) {
	candidates := []string{a.KnownHostsFile}
	if a.KnownHostsFile == "" {
		candidates = []string{"/etc/ssh/ssh_known_hosts"}
		if home, err := os.UserHomeDir(); err == nil {
			candidates = append(candidates, filepath.Join(home, ".ssh", "known_hosts"))
		}
	}
	var files []string
	for _, file := range candidates {
		if _, err := os.Stat(file); err == nil {
			files = append(files, file)
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("there is no file with ssh host keys (%s); make one with ssh-keyscan HOST, compare the key with what the server's owner tells you, and set --git-known-hosts FILE",
			strings.Join(candidates, ", "))
	}
	return files, nil
}

// explainSSH says what a failed handshake means.
func explainSSH(err error, address string, at location, auth Auth) error {
	if key, ok := errors.AsType[*knownhosts.KeyError](err); ok {
		if len(key.Want) == 0 {
			return fmt.Errorf("the host key of %s is not known; get it with ssh-keyscan, compare it with what the server's owner tells you, and add it to the known hosts", address)
		}
		return fmt.Errorf("the host key of %s is not the known one: somebody may be in between, or the server was set up anew; the known one is in %s:%d",
			address, key.Want[0].Filename, key.Want[0].Line)
	}
	if revoked, ok := errors.AsType[*knownhosts.RevokedError](err); ok {
		return fmt.Errorf("the host key of %s is revoked in %s:%d", address, revoked.Revoked.Filename, revoked.Revoked.Line)
	}
	if strings.Contains(err.Error(), "unable to authenticate") {
		return fmt.Errorf("%s does not accept the key %s for the user %q; add its public key there", address, auth.KeyFile, at.user)
	}
	return err
}

// shellQuote makes one word of s for the shell on the other side.
func shellQuote(s string) string {
	return "'" + strings.NewReplacer("'", `'\''`, "!", `'\!'`).Replace(s) + "'"
}

// firstBytes keeps the beginning of what is written to it.
type firstBytes struct {
	mu   sync.Mutex
	kept []byte
}

func (f *firstBytes) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	const limit = 512
	f.kept = append(f.kept, p[:min(len(p), limit-len(f.kept))]...)
	return len(p), nil
}

// line is the first line with something in it.
func (f *firstBytes) line() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	for line := range strings.Lines(string(f.kept)) {
		if line = printable(line); line != "" {
			return line
		}
	}
	return ""
}
