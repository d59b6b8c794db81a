package oci_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/fairlead/fairlead/providers/oci"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
)

// counting is a registry that counts what is sent to it.
type counting struct {
	http.Handler
	writes, all atomic.Int64
}

func (c *counting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.all.Add(1)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		c.writes.Add(1)
	}
	c.Handler.ServeHTTP(w, r)
}

// inMemory is a registry in this process.
func inMemory(referrers bool) http.Handler {
	return registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(referrers))
}

// serve returns the host of a server on a loopback address, to which clients speak
// without TLS.
func serve(t testing.TB, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// debian starts the registry of Debian and returns its host, its directory, and its
// configuration. `apt-get install docker-registry` brings it.
func debian(t *testing.T) (host, dir, config string) {
	t.Helper()
	binary, err := exec.LookPath("docker-registry")
	if err != nil {
		t.Skip("docker-registry is not installed; on Debian: apt-get install docker-registry")
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host = listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	config = filepath.Join(t.TempDir(), "config.yml")
	text := fmt.Sprintf("version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: %s\nhttp:\n  addr: %s\n", dir, host)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, "serve", config)
	cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(time.Minute); ; {
		connection, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", host)
		if err == nil {
			_ = connection.Close() // nothing was written
			return host, dir, config
		}
		if time.Now().After(deadline) {
			t.Fatalf("docker-registry does not listen: %v", err)
		}
		time.Sleep(10 * time.Millisecond) // between two looks
	}
}

// digits is a model to be published to a registry.
func digits(t testing.TB, s *oci.Store, registry string, files map[string]string) reconcile.ModelPackage {
	t.Helper()
	content, err := s.Put(t.Context(), providertest.Tree(t, files))
	if err != nil {
		t.Fatal(err)
	}
	return reconcile.ModelPackage{
		Registry: registry, Name: "digits", Version: "1.2.0", Content: content.Digest, Created: time.Date(2026, 3, 3, 14, 0, 0, 0, time.UTC),
		Licenses: []string{"Apache-2.0"}, Annotations: map[string]string{"io.fairlead.run": "r1"},
		Attached: []reconcile.Attachment{
			{ArtifactType: reconcile.ArtifactMetrics, MediaType: "application/json", Data: []byte(`{"accuracy":0.97}`)},
			{ArtifactType: reconcile.ArtifactLineage, MediaType: "application/json", Data: []byte(`{"run":"r1"}`)},
		},
	}
}

var modelFiles = map[string]string{"model.bin": "weights", "labels/names.txt": "0 1 2", "predict*": "#!/bin/sh"}

// TestAModelGoesToARegistryAndComesBack with registries of both kinds: those that list
// referrers, and those whose clients keep the list under a tag.
func TestAModelGoesToARegistryAndComesBack(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) (string, *counting){
		"with the referrers API": func(t *testing.T) (string, *counting) {
			c := &counting{Handler: inMemory(true)}
			return serve(t, c), c
		},
		"without it": func(t *testing.T) (string, *counting) {
			c := &counting{Handler: inMemory(false)}
			return serve(t, c), c
		},
		"docker-registry": func(t *testing.T) (string, *counting) {
			host, _, _ := debian(t)
			return host, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			host, counter := start(t)
			here := open(t, oci.Options{Dir: t.TempDir()})
			pkg := digits(t, here, "oci://"+host+"/team/digits", modelFiles)
			published, err := here.Publish(t.Context(), pkg)
			if err != nil {
				t.Fatal(err)
			}
			if !published.Pushed || published.Ref != "oci://"+host+"/team/digits@"+published.Digest {
				t.Errorf("got %+v", published)
			}
			writes := int64(0)
			if counter != nil {
				writes = counter.writes.Load()
			}
			again, err := here.Publish(t.Context(), pkg)
			if err != nil || again.Pushed || again.Digest != published.Digest {
				t.Errorf("again: %+v, %v", again, err)
			}
			if counter != nil && counter.writes.Load() != writes {
				t.Errorf("the second time sent %d requests that write", counter.writes.Load()-writes)
			}

			there := open(t, oci.Options{Dir: t.TempDir()})
			if d, err := there.Resolve(t.Context(), "oci://"+host+"/team/digits:1.2.0"); err != nil || d != published.Digest {
				t.Errorf("the tag is %q, %v", d, err)
			}
			content, err := there.Fetch(t.Context(), published.Ref)
			if err != nil || content.Files != 3 {
				t.Fatalf("fetched %+v, %v", content, err)
			}
			dir, err := there.Checkout(t.Context(), content.Digest)
			if err != nil {
				t.Fatal(err)
			}
			providertest.WantTree(t, dir, modelFiles)
			if counter != nil {
				asked := counter.all.Load()
				if _, err := there.Fetch(t.Context(), published.Ref); err != nil || counter.all.Load() != asked {
					t.Errorf("what is there was fetched with %d calls, %v", counter.all.Load()-asked, err)
				}
			}
			all, err := there.Referrers(t.Context(), published.Ref, "")
			if err != nil || len(all) != 2 {
				t.Errorf("attached: %v, %v", all, err)
			}
			metrics, err := there.Referrers(t.Context(), "oci://"+host+"/team/digits:1.2.0", reconcile.ArtifactMetrics)
			if err != nil || len(metrics) != 1 || string(metrics[0].Data) != `{"accuracy":0.97}` {
				t.Errorf("metrics: %v, %v", metrics, err)
			}

			// Another artifact of the same version does not move the tag.
			second, err := here.Publish(t.Context(), digits(t, here, pkg.Registry, map[string]string{"model.bin": "other"}))
			if err != nil {
				t.Fatal(err)
			}
			for tag, want := range map[string]string{"1.2.0": published.Digest, "1.2.0_" + second.Digest[7:19]: second.Digest} {
				if d, err := there.Resolve(t.Context(), "oci://"+host+"/team/digits:"+tag); err != nil || d != want {
					t.Errorf("the tag %s is %q, %v; want %q", tag, d, err, want)
				}
			}
		})
	}
}

// failing answers the requests that match with status, as often as left says; a
// negative number is for ever.
type failing struct {
	http.Handler
	match  func(*http.Request) bool
	status int
	header map[string]string
	mu     sync.Mutex
	left   int
}

func (f *failing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	fail := f.left != 0 && (f.match == nil || f.match(r))
	if fail {
		f.left--
	}
	f.mu.Unlock()
	if !fail {
		f.Handler.ServeHTTP(w, r)
		return
	}
	for k, v := range f.header {
		w.Header().Set(k, v)
	}
	w.WriteHeader(f.status)
}

func TestARegistryThatRecovers(t *testing.T) {
	for name, f := range map[string]*failing{
		"503 twice": {status: 503, left: 2},
		"429":       {status: 429, left: 1, header: map[string]string{"Retry-After": "1"}},
		"an upload fails once": {status: 500, left: 1, match: func(r *http.Request) bool {
			return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/blobs/")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f.Handler = inMemory(true)
			s := open(t, oci.Options{Dir: t.TempDir()})
			start := time.Now()
			if _, err := s.Publish(t.Context(), digits(t, s, "oci://"+serve(t, f)+"/digits", modelFiles)); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); name == "429" && took < time.Second {
				t.Errorf("it came back after %s; it was asked to wait for 1s", took)
			}
		})
	}
}

func TestADownloadThatBreaksOffIsRepeated(t *testing.T) {
	inner := inMemory(true)
	var broken atomic.Bool
	host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") && broken.CompareAndSwap(false, true) {
			recorder := httptest.NewRecorder()
			inner.ServeHTTP(recorder, r)
			w.Header().Set("Content-Length", fmt.Sprint(recorder.Body.Len()))
			_, _ = w.Write(recorder.Body.Bytes()[:recorder.Body.Len()/2]) // the client sees what is missing
			panic(http.ErrAbortHandler)
		}
		inner.ServeHTTP(w, r)
	}))
	here, there := open(t, oci.Options{Dir: t.TempDir()}), open(t, oci.Options{Dir: t.TempDir()})
	published, err := here.Publish(t.Context(), digits(t, here, "oci://"+host+"/digits", modelFiles))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := there.Fetch(t.Context(), published.Ref); err != nil || !broken.Load() {
		t.Errorf("%v; broken: %t", err, broken.Load())
	}
}

// TestARegistryThatLies hands out other bytes than were asked for.
func TestARegistryThatLies(t *testing.T) {
	for _, what := range []string{"/blobs/", "/manifests/"} {
		t.Run(what, func(t *testing.T) {
			inner := inMemory(true)
			var lies atomic.Bool
			host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !lies.Load() || r.Method != http.MethodGet || !strings.Contains(r.URL.Path, what) {
					inner.ServeHTTP(w, r)
					return
				}
				recorder := httptest.NewRecorder()
				inner.ServeHTTP(recorder, r)
				body := bytes.Clone(recorder.Body.Bytes())
				body[len(body)/2] ^= 1
				for k, v := range recorder.Header() {
					w.Header()[k] = v
				}
				w.Header().Set("Content-Length", fmt.Sprint(len(body)))
				_, _ = w.Write(body) // to a client that may have gone
			}))
			here, there := open(t, oci.Options{Dir: t.TempDir()}), open(t, oci.Options{Dir: t.TempDir()})
			published, err := here.Publish(t.Context(), digits(t, here, "oci://"+host+"/digits", modelFiles))
			if err != nil {
				t.Fatal(err)
			}
			lies.Store(true)
			_, err = there.Fetch(t.Context(), published.Ref)
			wantErr(t, err, reconcile.ErrTampered, "sha256:")
			_, err = there.Lookup(t.Context(), published.Digest)
			wantErr(t, err, reconcile.ErrNoContent)
			_, err = there.Referrers(t.Context(), published.Ref, "")
			wantErr(t, err, reconcile.ErrTampered)
			lies.Store(false)
			if _, err := there.Fetch(t.Context(), published.Ref); err != nil {
				t.Error(err)
			}
		})
	}
}

// wantErr wants an error that is want, which may be nil, with the texts.
func wantErr(t *testing.T, err, want error, texts ...string) {
	t.Helper()
	if err == nil || want != nil && !errorsIs(err, want) {
		t.Fatalf("got the error %v; want %v", err, want)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the error %q does not say %q", err, text)
		}
	}
}

func TestWhatIsTamperedWithIsNotPushed(t *testing.T) {
	c := &counting{Handler: inMemory(true)}
	h := &host{t.TempDir()}
	s := open(t, oci.Options{Dir: h.dir})
	pkg := digits(t, s, "oci://"+serve(t, c)+"/digits", modelFiles)
	h.Tamper(t, hexOf("weights"))
	_, err := s.Publish(t.Context(), pkg)
	wantErr(t, err, reconcile.ErrTampered, hexOf("weights"))
	if c.all.Load() != 0 {
		t.Errorf("the registry was called %d times", c.all.Load())
	}
}

func TestErrorsSayWhoWhyAndWhatToDo(t *testing.T) {
	unknown := "@sha256:" + hexOf("unknown")
	closed := httptest.NewServer(nil)
	closed.Close()
	hanging := make(chan struct{})
	t.Cleanup(func() { close(hanging) })
	for name, test := range map[string]struct {
		host string
		want error
		says []string
	}{
		"nobody listens": {strings.TrimPrefix(closed.URL, "http://"), reconcile.ErrUnavailable, []string{"refuses the connection", "running"}},
		"no such name":   {"registry.invalid", reconcile.ErrUnavailable, []string{"registry.invalid", "not known"}},
		"not there":      {serve(t, inMemory(true)), reconcile.ErrNoContent, []string{"404", "/team/digits@sha256:"}},
		"always 503":     {serve(t, &failing{status: 503, left: -1}), reconcile.ErrUnavailable, []string{"503"}},
		"forbidden":      {serve(t, &failing{status: 403, left: -1}), nil, []string{"403", "log in"}},
		"no password":    {serve(t, &failing{status: 401, left: -1, header: map[string]string{"WWW-Authenticate": `Basic realm="r"`}}), nil, []string{"401", "log in with `docker"}},
		"no challenge":   {serve(t, &failing{status: 401, left: -1}), nil, []string{"401", "log in with `docker"}},
		"silent": {serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-hanging:
			case <-r.Context().Done():
			}
		})), reconcile.ErrUnavailable, []string{"said nothing for 300ms"}},
		"a manifest without end": {serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			w.Header().Set("Content-Length", "99999999999")
			w.Header().Set("Docker-Content-Digest", unknown[1:])
			_, _ = w.Write(make([]byte, 1000)) // to a client that goes away
		})), nil, []string{"99999999999 bytes"}},
		"self-signed": {onOtherLoopback(t, true), nil, []string{"certificate", "not trusted"}},
		"no TLS":      {onOtherLoopback(t, false), nil, []string{"does not speak TLS", "insecure"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := oci.Options{Dir: t.TempDir()}
			if name == "silent" {
				options.Timeout = 300 * time.Millisecond
			}
			s := open(t, options)
			_, err := s.Fetch(t.Context(), "oci://"+test.host+"/team/digits"+unknown)
			wantErr(t, err, test.want, append(test.says, test.host)...)
		})
	}
}

// onOtherLoopback serves on an address of this machine that is not taken for a test
// registry without TLS.
func onOtherLoopback(t *testing.T, withTLS bool) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.2:0")
	if err != nil {
		t.Skipf("this machine has one loopback address only: %v", err)
	}
	server := httptest.NewUnstartedServer(inMemory(true))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	_ = server.Listener.Close() // nobody used it
	server.Listener = listener
	if withTLS {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return listener.Addr().String()
}

func TestAnInsecureRegistryIsSpokenToWhereItIsListed(t *testing.T) {
	host := onOtherLoopback(t, false)
	s := open(t, oci.Options{Dir: t.TempDir(), Insecure: []string{host}})
	if _, err := s.Publish(t.Context(), digits(t, s, "oci://"+host+"/digits", modelFiles)); err != nil {
		t.Error(err)
	}
}

const password = "hunter2-is-secret"

// guarded is a registry that wants a password.
func guarded(t *testing.T) string {
	inner := inMemory(true)
	return serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, pass, _ := r.BasicAuth(); user != "fairlead" || pass != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	}))
}

func dockerConfig(t *testing.T, content map[string]any) string {
	t.Helper()
	dir := t.TempDir()
	raw, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestCredentialsOfDocker(t *testing.T) {
	host := guarded(t)
	auths := func(pass string) map[string]any {
		return map[string]any{"auths": map[string]any{host: map[string]any{"auth": base64.StdEncoding.EncodeToString([]byte("fairlead:" + pass))}}}
	}
	publish := func(t *testing.T, config string) error {
		s := open(t, oci.Options{Dir: t.TempDir(), DockerConfig: config})
		_, err := s.Publish(t.Context(), digits(t, s, "oci://"+host+"/digits", modelFiles))
		if err != nil && (strings.Contains(err.Error(), password) || strings.Contains(err.Error(), base64.StdEncoding.EncodeToString([]byte("fairlead:"+password)))) {
			t.Errorf("the error shows the password: %v", err)
		}
		return err
	}
	t.Run("of the file", func(t *testing.T) {
		if err := publish(t, dockerConfig(t, auths(password))); err != nil {
			t.Error(err)
		}
	})
	t.Run("wrong", func(t *testing.T) {
		wantErr(t, publish(t, dockerConfig(t, auths("other"))), nil, "401", "docker --config")
	})
	t.Run("none", func(t *testing.T) {
		wantErr(t, publish(t, t.TempDir()), nil, "401", "docker --config")
	})
	t.Run("of a helper", func(t *testing.T) {
		bin := t.TempDir()
		script := fmt.Sprintf("#!/bin/sh\nread server\n[ \"$1 $server\" = \"get %s\" ] || exit 1\nprintf '{\"ServerURL\":\"%s\",\"Username\":\"fairlead\",\"Secret\":\"%s\"}'\n", host, host, password)
		if err := os.WriteFile(filepath.Join(bin, "docker-credential-fairleadtest"), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
		if err := publish(t, dockerConfig(t, map[string]any{"credHelpers": map[string]any{host: "fairleadtest"}})); err != nil {
			t.Error(err)
		}
	})
	t.Run("of a helper that is not installed", func(t *testing.T) {
		wantErr(t, publish(t, dockerConfig(t, map[string]any{"credHelpers": map[string]any{host: "nosuchhelper"}})), nil, "nosuchhelper")
	})
}

// TestAddressesAreShownWithoutTheirSignatures: registries send clients on to storage
// with addresses that let everybody in.
func TestAddressesAreShownWithoutTheirSignatures(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() }) // which ends the loop
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = connection.Write([]byte("this is no HTTP\r\n\r\n")) // to a client that may have gone
			_ = connection.Close()
		}
	}()
	storage := "http://" + listener.Addr().String() + "/blob?X-Amz-Signature=" + password
	host := serve(t, http.RedirectHandler(storage, http.StatusTemporaryRedirect))
	s := open(t, oci.Options{Dir: t.TempDir()})
	_, err = s.Fetch(t.Context(), "oci://"+host+"/digits@sha256:"+hexOf("x"))
	wantErr(t, err, nil, listener.Addr().String(), "/blob?...")
	if strings.Contains(err.Error(), password) {
		t.Errorf("the error shows the signature: %v", err)
	}
}
