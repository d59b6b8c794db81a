package notify_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/notify"
	"github.com/fairlead/fairlead/spec"
)

const smtpPassword = "CANARY-s3cret"

// mailServer is a real Exim with three ports: SMTP in clear, SMTP that offers STARTTLS
// and wants a login, and SMTP over TLS.
type mailServer struct {
	plain, starttls, overTLS string // ports
	ca                       string // file
	mail                     string // Maildir
}

const eximConfig = `
primary_hostname = localhost
exim_path = %[1]s
spool_directory = %[2]s/spool
log_file_path = %[2]s/log/%%slog
pid_file_path = %[2]s/spool/pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = %[3]s : %[4]s : %[5]s
tls_on_connect_ports = %[5]s
tls_advertise_hosts = ${if eq{$received_port}{%[3]s}{}{*}}
tls_certificate = %[2]s/cert.pem
tls_privatekey = %[2]s/key.pem
auth_advertise_hosts = ${if eq{$tls_in_cipher}{}{}{*}}
acl_smtp_rcpt = rcpt
host_lookup =
rfc1413_hosts =
deliver_drop_privilege = true
keep_environment =
begin acl
rcpt:
  deny    local_parts = nobody
          message = there is no %[6]s here
  defer   local_parts = later
  accept  condition = ${if eq{$received_port}{%[3]s}}
  accept  authenticated = *
  deny    message = log in first
begin routers
all:
  driver = accept
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = %[2]s/mail
  maildir_format
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{fairlead}}{eq{$auth3}{%[6]s}}}}
  server_set_id = $auth2
`

// newMailServer starts an Exim. Without one the test is skipped.
func newMailServer(t *testing.T) *mailServer {
	t.Helper()
	exim, err := exec.LookPath("exim4")
	if err != nil {
		if exim = "/usr/sbin/exim4"; os.Geteuid() != 0 || exec.CommandContext(t.Context(), exim, "-bV").Run() != nil {
			t.Skip("there is no Exim: install Debian's exim4-daemon-light and run the test as root")
		}
	}
	as, err := user.Lookup("Debian-exim")
	if err != nil || os.Geteuid() != 0 {
		t.Skip("Exim wants to be started by root, and its user Debian-exim: install Debian's exim4-daemon-light")
	}
	dir := t.TempDir()
	uid, _ := strconv.Atoi(as.Uid) // of a numeric system
	gid, _ := strconv.Atoi(as.Gid)
	for _, sub := range []string{"", "/spool", "/log", "/mail"} {
		if err := os.MkdirAll(dir+sub, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(dir+sub, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // Exim's own user goes through it
		t.Fatal(err)
	}
	ports := freePorts(t, 3)
	s := &mailServer{plain: ports[0], starttls: ports[1], overTLS: ports[2], ca: dir + "/cert.pem", mail: dir + "/mail"}
	certificate(t, dir)
	if err := os.Chown(dir+"/key.pem", uid, gid); err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(eximConfig, exim, dir, ports[0], ports[1], ports[2], smtpPassword)
	if err := os.WriteFile(dir+"/exim.conf", []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, exim, "-bdf", "-C", dir+"/exim.conf")
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			main, _ := os.ReadFile(dir + "/log/mainlog")
			panics, _ := os.ReadFile(dir + "/log/paniclog")
			t.Logf("exim: %s%s%s", log.String(), main, panics)
		}
	})
	for _, port := range ports {
		reach(t, "127.0.0.1:"+port)
	}
	return s
}

// freePorts finds ports that nobody listens on.
func freePorts(t *testing.T, n int) (ports []string) {
	t.Helper()
	for range n {
		l := listen(t, "127.0.0.1:0")
		defer func() { _ = l.Close() }()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		ports = append(ports, port)
	}
	return ports
}

// reach waits until somebody listens.
func reach(t *testing.T, address string) {
	t.Helper()
	eventually(t, "nobody listens on "+address, func() bool {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
}

// eventually asks until the answer is yes.
func eventually(t *testing.T, otherwise string, ask func() bool) {
	t.Helper()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(time.Minute)
	for !ask() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatal(otherwise)
		}
	}
}

// certificate makes one for localhost that signs itself: cert.pem and key.pem.
func certificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "cert.pem"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// options are those of a notifier that sends to the server.
func (s *mailServer) options(scheme, port string) notify.Options {
	o := notify.Options{Notifier: spec.Notifier{
		Name: "mail", Kind: spec.NotifyEmail, URL: scheme + "://localhost:" + port, From: "Fairlead <fairlead@example.com>", To: []string{"ada@example.com", "Grace <grace@example.com>"},
	}}
	if port != s.plain {
		o.Notifier.User, o.Token, o.CAFile = "fairlead", spec.NewSensitive(smtpPassword), s.ca
	}
	return o
}

// letters waits for so many, and reads them.
func (s *mailServer) letters(t *testing.T, n int) []*mail.Message {
	t.Helper()
	var files []string
	eventually(t, "the letters do not arrive", func() bool {
		files, _ = filepath.Glob(s.mail + "/new/*")
		return len(files) >= n
	})
	var all []*mail.Message
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m, err := mail.ReadMessage(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// text decodes the body of a letter.
func text(t *testing.T, m *mail.Message) string {
	t.Helper()
	r := io.Reader(m.Body)
	if m.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
		r = quotedprintable.NewReader(m.Body)
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(raw), "\r\n", "\n")
}

func subject(t *testing.T, m *mail.Message) string {
	t.Helper()
	s, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}
