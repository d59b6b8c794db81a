package oci_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/oci"
	"github.com/fairlead/fairlead/reconcile"
)

// pushIndex gives a tag to an image for several platforms, and returns its digest.
func pushIndex(t *testing.T, host, repository, tag, of string) string {
	t.Helper()
	index := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[%s]}`, of)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+host+"/v2/"+repository+"/manifests/"+tag, strings.NewReader(index))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/vnd.oci.image.index.v1+json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // read only
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("push the index: %s", resp.Status)
	}
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(index)))
}

func TestTagsAndDigestsOfImages(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) string{
		"in memory":       func(t *testing.T) string { return serve(t, inMemory(true)) },
		"docker-registry": func(t *testing.T) string { host, _, _ := debian(t); return host },
	} {
		t.Run(name, func(t *testing.T) {
			host := start(t)
			s := open(t, oci.Options{Dir: t.TempDir()})
			published, err := s.Publish(t.Context(), digits(t, s, "oci://"+host+"/team/digits", modelFiles))
			if err != nil {
				t.Fatal(err)
			}
			wants := map[string]string{
				":1.2.0": published.Digest, ":1.2.0@" + published.Digest: published.Digest, "@" + published.Digest: published.Digest,
				":v2.0.0": pushIndex(t, host, "team/digits", "v2.0.0", ""), "": pushIndex(t, host, "team/digits", "latest", ""),
			}
			image := host + "/team/digits"
			for ref, want := range wants {
				if got, err := s.ResolveImage(t.Context(), image+ref); err != nil || got != want {
					t.Errorf("%s: got %s, %v; want %s", ref, got, err, want)
				}
			}
			tags, err := s.Tags(t.Context(), image+":1.2.0")
			if err != nil {
				t.Fatal(err)
			}
			for _, tag := range []string{"1.2.0", "latest", "v2.0.0"} {
				if !slices.Contains(tags, tag) {
					t.Errorf("got %q; want %s among them", tags, tag)
				}
			}
			_, err = s.ResolveImage(t.Context(), image+":3")
			wantErr(t, err, reconcile.ErrImageNotFound, image+":3", "check the name and the tag")
			_, err = s.Tags(t.Context(), host+"/none")
			wantErr(t, err, reconcile.ErrImageNotFound, "list the tags of image "+host+"/none")
		})
	}
	s := open(t, oci.Options{Dir: t.TempDir()})
	for _, ref := range []string{"", "oci://localhost/a", "A", "a:", "a@sha256:0"} {
		_, err := s.Tags(t.Context(), ref)
		wantErr(t, err, nil, "NAME:TAG")
		_, err = s.ResolveImage(t.Context(), ref)
		wantErr(t, err, nil, "NAME:TAG")
	}
}

// pages answers with pages of tags, as many as there are.
func pages(count int, page func(n int) string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := 0
		if last := r.URL.Query().Get("last"); last != "" {
			if _, err := fmt.Sscan(last, &n); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
		}
		if n+1 < count {
			w.Header().Set("Link", fmt.Sprintf(`</v2/digits/tags/list?last=%d>; rel="next"`, n+1))
		}
		_, _ = io.WriteString(w, `{"name":"digits","tags":`+page(n)+`}`) // to a client that may have gone
	})
}

func TestAllPagesOfTagsAreRead(t *testing.T) {
	numbered := func(size int) func(n int) string {
		return func(n int) string {
			var tags []string
			for i := range size {
				tags = append(tags, fmt.Sprintf(`"1.%d.%d"`, n, i))
			}
			return "[" + strings.Join(tags, ",") + "]"
		}
	}
	for name, c := range map[string]struct {
		handler http.Handler
		want    int
		says    string
	}{
		"one page":        {pages(1, numbered(3)), 3, ""},
		"three pages":     {pages(3, numbered(50)), 150, ""},
		"200 pages":       {pages(200, numbered(50)), 10_000, ""},
		"more than 10000": {pages(300, numbered(50)), 0, "more than 10000 tags"},
		"one large page":  {pages(1, numbered(10_001)), 0, "more than 10000 tags"},
		"pages for ever":  {pages(1<<30, func(int) string { return "[]" }), 0, "more than 10000 tags"},
		"no tags":         {pages(1, func(int) string { return "null" }), 0, ""},
		"what no tag is":  {pages(1, func(int) string { return `["ok", "", "a b", "\n", "a:b", "${x}", "-a", "é"]` }), 1, ""},
		"no JSON":         {pages(1, func(int) string { return "<html>" }), 0, "decode"},
		"another host": {http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", `<http://169.254.169.254/v2/digits/tags/list>; rel="next"`)
			_, _ = io.WriteString(w, `{"tags":["1.0.0"]}`) // to a client that may have gone
		}), 0, "same origin"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, oci.Options{Dir: t.TempDir()})
			tags, err := s.Tags(t.Context(), serve(t, c.handler)+"/digits")
			if c.says != "" {
				wantErr(t, err, nil, c.says)
			} else if err != nil {
				t.Error(err)
			}
			if len(tags) != c.want {
				t.Errorf("got %d tags; want %d", len(tags), c.want)
			}
		})
	}
}

// TestARegistrySaysWhenToComeBack and is not asked before.
func TestARegistrySaysWhenToComeBack(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		header string
		after  time.Duration // 0: none
		asked  int64
	}{
		"429 in an hour":      {429, "3600", time.Hour, 1},
		"503 in an hour":      {503, "3600", time.Hour, 1},
		"429 at a time":       {429, time.Now().Add(2 * time.Hour).UTC().Format(http.TimeFormat), 2 * time.Hour, 1},
		"429 in a hundred y.": {429, "3155760000", 24 * time.Hour, 1},
		"429 overflowing":     {429, "9223372036854775807", 24 * time.Hour, 1},
		"429 in the past":     {429, time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), 0, 4},
		"429":                 {429, "", 0, 4},
		"503 garbage":         {503, "soon", 0, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header := map[string]string{}
			if c.header != "" {
				header["Retry-After"] = c.header
			}
			counted := &counting{Handler: &failing{status: c.status, left: -1, header: header}}
			host := serve(t, counted)
			s := open(t, oci.Options{Dir: t.TempDir()})
			_, err := s.Tags(t.Context(), host+"/digits")
			wantErr(t, err, reconcile.ErrUnavailable, fmt.Sprint(c.status), host)
			retry, says := errors.AsType[*reconcile.RetryError](err)
			if says != (c.after > 0) || says && (time.Until(retry.After) > c.after || time.Until(retry.After) < c.after-time.Minute) {
				t.Errorf("got %#v", err)
			}
			if counted.all.Load() != c.asked {
				t.Errorf("it was asked %d times; want %d", counted.all.Load(), c.asked)
			}
		})
	}
}

func TestImagesOfARegistryThatIsAway(t *testing.T) {
	hanging := make(chan struct{})
	t.Cleanup(func() { close(hanging) })
	silent := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hanging:
		case <-r.Context().Done():
		}
	})
	for name, c := range map[string]struct {
		host string
		want error
		says string
	}{
		"silent":      {serve(t, silent), reconcile.ErrUnavailable, "said nothing"},
		"forbidden":   {serve(t, &failing{status: 403, left: -1}), nil, "log in"},
		"no such":     {"registry.invalid", reconcile.ErrUnavailable, "not known"},
		"self-signed": {onOtherLoopback(t, true), nil, "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := oci.Options{Dir: t.TempDir()}
			if name == "silent" {
				options.Timeout = 300 * time.Millisecond
			}
			s := open(t, options)
			_, err := s.Tags(t.Context(), c.host+"/digits")
			wantErr(t, err, c.want, c.says)
			_, err = s.ResolveImage(t.Context(), c.host+"/digits:1")
			wantErr(t, err, c.want, c.says)
		})
	}
}

func TestImagesOfARegistryThatWantsAPassword(t *testing.T) {
	host := guarded(t)
	auths := func(pass string) map[string]any {
		return map[string]any{"auths": map[string]any{host: map[string]any{"auth": base64.StdEncoding.EncodeToString([]byte("fairlead:" + pass))}}}
	}
	good := open(t, oci.Options{Dir: t.TempDir(), DockerConfig: dockerConfig(t, auths(password))})
	if _, err := good.Publish(t.Context(), digits(t, good, "oci://"+host+"/digits", modelFiles)); err != nil {
		t.Fatal(err)
	}
	if tags, err := good.Tags(t.Context(), host+"/digits"); err != nil || !slices.Contains(tags, "1.2.0") {
		t.Errorf("got %q, %v", tags, err)
	}
	for _, config := range []string{dockerConfig(t, auths("other")), t.TempDir()} {
		s := open(t, oci.Options{Dir: t.TempDir(), DockerConfig: config})
		_, err := s.Tags(t.Context(), host+"/digits")
		wantErr(t, err, nil, "401", "docker --config", "login "+host)
	}
}

// hub is Docker Hub as seen from here: the registry, and the server of its tokens.
type hub struct {
	asked atomic.Int64
	t     *testing.T
}

func (h *hub) RoundTrip(req *http.Request) (*http.Response, error) {
	h.asked.Add(1)
	answer := func(status int, body string, header ...string) (*http.Response, error) {
		resp := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewBufferString(body)), Request: req}
		for i := 0; i < len(header); i += 2 {
			resp.Header.Set(header[i], header[i+1])
		}
		return resp, nil
	}
	user, pass, _ := req.BasicAuth()
	switch at := req.URL.Scheme + "://" + req.URL.Host + req.URL.Path; {
	case at == "https://auth.docker.io/token" && user == "fairlead" && pass == password && strings.Contains(req.URL.RawQuery, "library%2Fdigits%3Apull"):
		return answer(200, `{"token":"t0ken"}`)
	case req.Header.Get("Authorization") != "Bearer t0ken" && req.URL.Host == "registry-1.docker.io":
		return answer(401, "", "WWW-Authenticate", `Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/digits:pull"`)
	case at == "https://registry-1.docker.io/v2/library/digits/tags/list":
		return answer(200, `{"tags":["1.0.0"]}`)
	case at == "https://registry-1.docker.io/v2/library/digits/manifests/1.0.0" && req.Method == http.MethodHead:
		return answer(200, "", "Content-Type", "application/vnd.oci.image.index.v1+json", "Content-Length", "7", "Docker-Content-Digest", "sha256:"+hexOf("index"))
	}
	h.t.Errorf("asked for %s %s as %q", req.Method, req.URL, user)
	return answer(500, "")
}

// TestShortNamesAreOnDockerHub with the credentials that `docker login` keeps for it.
func TestShortNamesAreOnDockerHub(t *testing.T) {
	config := dockerConfig(t, map[string]any{"auths": map[string]any{
		"https://index.docker.io/v1/": map[string]any{"auth": base64.StdEncoding.EncodeToString([]byte("fairlead:" + password))},
	}})
	h := &hub{t: t}
	s := open(t, oci.Options{Dir: t.TempDir(), DockerConfig: config, Transport: h})
	for _, name := range []string{"digits", "library/digits", "docker.io/digits", "docker.io/library/digits", "index.docker.io/digits"} {
		if tags, err := s.Tags(t.Context(), name); err != nil || fmt.Sprint(tags) != "[1.0.0]" {
			t.Errorf("%s: got %q, %v", name, tags, err)
		}
		if d, err := s.ResolveImage(t.Context(), name+":1.0.0"); err != nil || d != "sha256:"+hexOf("index") {
			t.Errorf("%s: got %s, %v", name, d, err)
		}
	}
	if h.asked.Load() == 0 {
		t.Error("nobody was asked")
	}
}
