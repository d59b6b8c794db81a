package metrics_test

import (
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/metrics"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
)

func external(t *testing.T, opts metrics.ExternalOptions) *metrics.External {
	t.Helper()
	x, err := metrics.NewExternal(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

func TestExternalKeepsTheContractOfMetrics(t *testing.T) {
	t.Run("with a real Prometheus", func(t *testing.T) {
		providertest.MetricsSuite(t, func(t *testing.T) providertest.MetricsBench {
			p := startPrometheus(t)
			return providertest.MetricsBench{
				Metrics: external(t, metrics.ExternalOptions{URL: p.url}), Scrape: p.scrape(t), Stop: p.stop,
			}
		})
	})
	t.Run("with the API of an embedded one", func(t *testing.T) {
		providertest.MetricsSuite(t, func(t *testing.T) providertest.MetricsBench {
			e := open(t, metrics.Options{})
			server := httptest.NewServer(e.Handler())
			t.Cleanup(server.Close)
			return providertest.MetricsBench{
				Metrics: external(t, metrics.ExternalOptions{URL: server.URL}), Scrape: e.Scrape, Stop: server.Close,
			}
		})
	})
}

const secret = "correct horse battery staple"

func secretFile(t *testing.T, content string) string {
	t.Helper()
	path := t.TempDir() + "/secret"
	newFile(t, path, content)
	return path
}

func TestExternalSaysWhatIsWrongWithItsOptions(t *testing.T) {
	good := "https://prometheus.example/prefix"
	cases := map[string]struct {
		opts metrics.ExternalOptions
		want string
	}{
		"no URL":                 {metrics.ExternalOptions{}, "https://"},
		"no scheme":              {metrics.ExternalOptions{URL: "prometheus:9090"}, "http://"},
		"another scheme":         {metrics.ExternalOptions{URL: "ftp://prometheus"}, "http://"},
		"no URL at all":          {metrics.ExternalOptions{URL: "http://u:" + secret + "@[::"}, "looks like"},
		"credentials in the URL": {metrics.ExternalOptions{URL: "http://u:" + url.PathEscape(secret) + "@prometheus"}, "put them into a file"},
		"a query in the URL":     {metrics.ExternalOptions{URL: good + "?a=b"}, "path"},
		"a user alone":           {metrics.ExternalOptions{URL: good, Username: "u"}, "password file"},
		"a password alone":       {metrics.ExternalOptions{URL: good, PasswordFile: "p"}, "user name"},
		"password and token":     {metrics.ExternalOptions{URL: good, Username: "u", PasswordFile: "p", TokenFile: "t"}, "not both"},
		"no such authority":      {metrics.ExternalOptions{URL: good, CAFile: "/does/not/exist"}, "/does/not/exist"},
		"authority without PEM":  {metrics.ExternalOptions{URL: good, CAFile: secretFile(t, secret)}, "PEM"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := metrics.NewExternal(c.opts)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want it to say %q", err, c.want)
			}
			if err != nil && (strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), url.PathEscape(secret))) {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
}

func TestExternalSendsItsCredentials(t *testing.T) {
	var asked http.Header
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Header.Clone()
		if r.URL.Path != "/prefix/api/v1/query" || r.Method != http.MethodPost || r.FormValue("query") != "1" || r.FormValue("time") != "1772546400.250" {
			t.Errorf("request = %s %s %v", r.Method, r.URL, r.Form)
		}
		_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"scalar","result":[1772546400.25,"1"]}}`))
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // a refused handshake is part of the test
	server.StartTLS()
	t.Cleanup(server.Close)
	authority := secretFile(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	file := secretFile(t, secret+"\n")
	at := time.Date(2026, 3, 3, 14, 0, 0, 250e6, time.UTC)

	token := external(t, metrics.ExternalOptions{URL: server.URL + "/prefix/", CAFile: authority, TokenFile: file})
	if got := value(t, token, "1", at); got != 1 || asked.Get("Authorization") != "Bearer "+secret {
		t.Errorf("value %g with %q, want 1 with the token", got, asked.Get("Authorization"))
	}
	newFile(t, file, "rotated")
	if got := value(t, token, "1", at); got != 1 || asked.Get("Authorization") != "Bearer rotated" {
		t.Errorf("value %g with %q, want 1 with the new token", got, asked.Get("Authorization"))
	}
	basic := external(t, metrics.ExternalOptions{URL: server.URL + "/prefix", CAFile: authority, Username: "u", PasswordFile: file})
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte("u:rotated"))
	if got := value(t, basic, "1", at); got != 1 || asked.Get("Authorization") != want {
		t.Errorf("value %g with %q, want 1 with the password", got, asked.Get("Authorization"))
	}
	stranger := external(t, metrics.ExternalOptions{URL: server.URL, TokenFile: file})
	asked = nil
	if _, err := stranger.Query(t.Context(), "1", at); !errors.Is(err, reconcile.ErrMetricsUnavailable) || asked != nil {
		t.Errorf("query to a server of unknown authority = %v, want no answer and no token sent", err)
	}
}

func TestExternalTellsTroubleFromMistakes(t *testing.T) {
	reply := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	cases := map[string]struct {
		handler     http.HandlerFunc
		unavailable bool
		want        string
	}{
		"bad_data":     {reply(400, `{"status":"error","errorType":"bad_data","error":"parse error at 1:3"}`), false, "parse error at 1:3"},
		"execution":    {reply(422, `{"status":"error","errorType":"execution","error":"many-to-many"}`), false, "many-to-many"},
		"timeout":      {reply(503, `{"status":"error","errorType":"timeout","error":"took too long"}`), true, "took too long"},
		"internal":     {reply(500, `{"status":"error","errorType":"internal","error":"disk"}`), true, "disk"},
		"a future one": {reply(418, `{"status":"error","errorType":"teapot","error":"short and stout"}`), true, "short and stout"},
		"refused":      {reply(401, `no`), true, "check the file"},
		"forbidden":    {reply(403, `{}`), true, "check the file"},
		"not there":    {reply(404, `404 page not found`), true, "prefix"},
		"a proxy":      {reply(502, `<html>Bad Gateway</html>`), true, "502"},
		"nothing":      {reply(200, ``), true, "URL of a Prometheus"},
		"other JSON":   {reply(200, `{"hello":"world"}`), true, "URL of a Prometheus"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://u:"+url.PathEscape(secret)+"@elsewhere.example/", http.StatusFound)
		}, true, "elsewhere.example"},
		"no vector":        {reply(200, `{"status":"success","data":{"resultType":"vector","result":{}}}`), true, "format"},
		"no value":         {reply(200, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{}}]}}`), true, "neither"},
		"half a bucket":    {reply(200, `{"status":"success","data":{"resultType":"vector","result":[{"histogram":[1,{"count":"1","sum":"1","buckets":[[0,"1"]]}]}]}}`), true, "bucket"},
		"an unknown type":  {reply(200, `{"status":"success","data":{"resultType":"tensor"}}`), true, "tensor"},
		"no number":        {reply(200, `{"status":"success","data":{"resultType":"scalar","result":[1,"one"]}}`), true, "format"},
		"an endless reply": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.CopyN(w, endless{}, 40<<20) }, true, "larger than 32 MiB"},
		"never": {func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, true, "deadline"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(c.handler)
			t.Cleanup(server.Close)
			limit := 20 * time.Second
			if name == "never" {
				limit = 100 * time.Millisecond
			}
			x := external(t, metrics.ExternalOptions{URL: server.URL, Timeout: limit, TokenFile: secretFile(t, secret)})
			_, err := x.Query(t.Context(), "my_query", time.Now())
			if err == nil || errors.Is(err, reconcile.ErrMetricsUnavailable) != c.unavailable {
				t.Fatalf("error = %v, want unavailable = %v", err, c.unavailable)
			}
			for _, want := range []string{c.want, "my_query"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error = %v, want it to say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), url.PathEscape(secret)) {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
	t.Run("a token file that is gone", func(t *testing.T) {
		x := external(t, metrics.ExternalOptions{URL: "http://127.0.0.1:1", TokenFile: "/does/not/exist"})
		if _, err := x.Query(t.Context(), "1", time.Now()); !errors.Is(err, reconcile.ErrMetricsUnavailable) || !strings.Contains(err.Error(), "/does/not/exist") {
			t.Errorf("error = %v, want the file", err)
		}
	})
	t.Run("a token of two lines", func(t *testing.T) {
		x := external(t, metrics.ExternalOptions{URL: "http://127.0.0.1:1", TokenFile: secretFile(t, secret+"\n"+secret)})
		if _, err := x.Query(t.Context(), "1", time.Now()); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("error = %v, want one without the token", err)
		}
	})
}

func TestWarningsAreToldOnce(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"vector","result":[]},"warnings":["mixed up"]}`))
	}))
	t.Cleanup(server.Close)
	var log logged
	x := external(t, metrics.ExternalOptions{URL: server.URL, Log: log.log()})
	for range 3 {
		if _, err := x.Query(t.Context(), "1", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if said := log.String(); strings.Count(said, "mixed up") != 1 {
		t.Errorf("log:\n%s\nwant the warning once", said)
	}
}

// endless is an answer without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}
