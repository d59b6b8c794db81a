package git_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/providers/git"
)

// keys are the key pairs of a client and a server, and what the client is told
// of them.
type keys struct {
	dir  string
	auth git.Auth
}

// sshKeys makes fresh keys. known_hosts is empty until sshServer fills it in.
func sshKeys(t *testing.T) keys {
	t.Helper()
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("ssh-keygen is not installed; it is only needed by this test")
	}
	k := keys{dir: t.TempDir()}
	for _, name := range []string{"client", "host", "other"} {
		out, err := exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(k.dir, name)).CombinedOutput()
		if err != nil {
			t.Fatalf("ssh-keygen: %v\n%s", err, out)
		}
	}
	k.auth = git.Auth{KeyFile: filepath.Join(k.dir, "client"), KnownHostsFile: filepath.Join(k.dir, "known_hosts")}
	k.write(t, "known_hosts", "")
	return k
}

func (k keys) write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(k.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (k keys) read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(k.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

// sshServer answers each connection with a real sshd, which runs nothing but git-shell,
// and returns its address.
func sshServer(t *testing.T, k keys) string {
	t.Helper()
	sshd, err := exec.LookPath("sshd")
	if err != nil {
		if sshd = "/usr/sbin/sshd"; !exists(sshd) {
			t.Skip("sshd is not installed; it is only needed by this test")
		}
	}
	shell, err := exec.LookPath("git-shell")
	if err != nil {
		t.Skip("git-shell is not installed; it is only needed by this test")
	}
	k.write(t, "authorized_keys", k.read(t, "client.pub")+"\n")
	config := k.write(t, "sshd_config", strings.Join([]string{
		"HostKey " + filepath.Join(k.dir, "host"),
		"AuthorizedKeysFile " + filepath.Join(k.dir, "authorized_keys"),
		"StrictModes no", "UsePAM no", "PasswordAuthentication no", "PermitRootLogin yes",
		"PidFile none", "AcceptEnv none", "UseDNS no",
		`ForceCommand exec ` + shell + ` -c "$SSH_ORIGINAL_COMMAND"`,
	}, "\n"))
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil && os.Getuid() == 0 {
		t.Skipf("sshd needs /run/sshd: %v", err)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serveOne(sshd, config, conn)
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	return listener.Addr().String()
}

// serveOne hands the connection to sshd -i and waits for its end.
func serveOne(sshd, config string, conn net.Conn) {
	socket, err := conn.(*net.TCPConn).File()
	_ = conn.Close() // socket is a copy
	if err != nil {
		return
	}
	cmd := exec.CommandContext(context.Background(), sshd, "-i", "-e", "-f", config) // ends with its connection
	cmd.Stdin, cmd.Stdout = socket, socket
	var log bytes.Buffer
	cmd.Stderr = &log
	_ = cmd.Start()
	_ = socket.Close()
	_ = cmd.Wait()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestSSHChecksBothSides(t *testing.T) {
	work := newRepo(t)
	work.write("it's.hcl", "1")
	id := work.commit("first")
	k := sshKeys(t)
	address := sshServer(t, k)
	host, port, _ := net.SplitHostPort(address)
	user := "root"
	if os.Getuid() != 0 {
		user = os.Getenv("USER")
	}
	known := fmt.Sprintf("[%s]:%s %s\n", host, port, k.read(t, "host.pub"))
	wrong := fmt.Sprintf("[%s]:%s %s\n", host, port, k.read(t, "other.pub"))
	locked := k.write(t, "locked", k.read(t, "client")+"\n")
	if out, err := exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-p", "-a", "1", "-P", "", "-N", "open sesame", "-f", locked).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	for name, c := range map[string]struct {
		known string
		auth  git.Auth
		path  string
		want  string // in the error; "": success
	}{
		"known host, right key":       {known, git.Auth{}, work.dir, ""},
		"key with passphrase":         {known, git.Auth{KeyFile: locked, KeyPassphraseFile: k.write(t, "passphrase", "open sesame\n")}, work.dir, ""},
		"key without its passphrase":  {known, git.Auth{KeyFile: locked}, work.dir, "passphrase"},
		"key with a wrong passphrase": {known, git.Auth{KeyFile: locked, KeyPassphraseFile: k.write(t, "wrong", "x")}, work.dir, "does not open"},
		"another host key":            {wrong, git.Auth{}, work.dir, "not the known one"},
		"unknown host":                {"", git.Auth{}, work.dir, "not known"},
		"revoked host key":            {known + "@revoked * " + k.read(t, "host.pub") + "\n", git.Auth{}, work.dir, "revoked"},
		"key that is not authorised":  {known, git.Auth{KeyFile: filepath.Join(k.dir, "other")}, work.dir, "does not accept the key"},
		"no such repository":          {known, git.Auth{}, "/no/such'repo", "not appear to be a git repository"},
		"a key file that is none":     {known, git.Auth{KeyFile: filepath.Join(k.dir, "host.pub")}, work.dir, "no private ssh key"},
		"no file of host keys":        {known, git.Auth{KnownHostsFile: "/no/such/file"}, work.dir, "--git-known-hosts"},
	} {
		t.Run(name, func(t *testing.T) {
			auth := k.auth
			if c.auth.KeyFile != "" {
				auth.KeyFile = c.auth.KeyFile
			}
			auth.KeyPassphraseFile = c.auth.KeyPassphraseFile
			auth.KnownHostsFile = filepath.Join(t.TempDir(), "known_hosts")
			if err := os.WriteFile(auth.KnownHostsFile, []byte(c.known), 0o600); err != nil {
				t.Fatal(err)
			}
			if c.auth.KnownHostsFile != "" {
				auth.KnownHostsFile = c.auth.KnownHostsFile
			}
			source := mustNew(t, git.Options{
				URL: fmt.Sprintf("ssh://%s@%s%s", user, address, c.path), Branch: "main", DataDir: t.TempDir(), Auth: auth,
			})
			snapshot, err := source.Latest(t.Context())
			switch {
			case c.want == "" && err != nil:
				t.Fatal(err)
			case c.want == "":
				if snapshot.Tree.Commit().ID != id {
					t.Errorf("got %+v", snapshot.Tree.Commit())
				}
			case err == nil || !strings.Contains(err.Error(), c.want):
				t.Errorf("got %v; want an error with %q", err, c.want)
			}
		})
	}
}
