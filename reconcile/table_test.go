package reconcile_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

func goodTable() reconcile.Table {
	return reconcile.Table{
		FormatVersion: reconcile.TableFormat, Version: 1,
		Models: []reconcile.RoutedModel{{
			Name: "digits", Protocol: spec.OpenInference,
			Routes: []reconcile.RoutedPath{{Path: "/digits"}, {Host: "a.example", Path: "/"}},
			Revisions: []reconcile.RoutedRevision{{
				Revision: "r1", Weight: 100,
				Health:   reconcile.HealthProbe{Path: "/ready", Interval: time.Second, Timeout: time.Second},
				Replicas: []reconcile.RoutedReplica{{ID: "c1", Address: "10.0.0.1:80"}, {ID: "c2", Address: "[fd00::1]:80"}},
			}},
		}},
	}
}

func TestTableNamesEveryMistake(t *testing.T) {
	if err := goodTable().Validate(); err != nil {
		t.Fatal(err)
	}
	table := goodTable()
	table.FormatVersion = 1
	m := &table.Models[0]
	m.Protocol = "gopher"
	m.Routes[0].Path, m.Routes[1].Host = "/digits/", "a.example:80"
	m.Routes[0].Limit = &spec.RouteLimit{Rate: -1}
	m.Routes[1].Auth = &reconcile.RoutedAuth{}
	m.Revisions[0].Weight = 99
	m.Revisions[0].Replicas[1] = reconcile.RoutedReplica{ID: "c1", Address: "10.0.0.1"}
	err := table.Validate()
	if err == nil {
		t.Fatal("the table was taken")
	}
	for _, want := range []string{"format_version is 1", `"gopher"`, "ends in /", "has a port", "add up to 99", "ids are unique", "not ip:port"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
}

func TestReplicaAddresses(t *testing.T) {
	for address, good := range map[string]bool{
		"10.1.2.3:8080": true, "127.0.0.1:1": true, "[fd00::2]:80": true, "172.17.0.2:65535": true,
		"": false, "10.1.2.3": false, "10.1.2.3:0": false, "10.1.2.3:99999": false, "db.internal:80": false, "localhost:80": false,
		"169.254.169.254:80": false, "[::ffff:169.254.169.254]:80": false, "[fe80::1]:80": false, "[fe80::1%eth0]:80": false, "[fd00::1%eth0]:80": false,
		"0.0.0.0:80": false, "[::]:80": false, "[::ffff:0.0.0.0]:80": false, "224.0.0.1:80": false, "255.255.255.255:80": false,
		"2852039166:80": false, "0251.0376.0251.0376:80": false, "10.1.2.3:80/x": false, "user@10.1.2.3:80": false,
	} {
		if err := reconcile.CheckReplicaAddress(address); (err == nil) != good {
			t.Errorf("CheckReplicaAddress(%q) = %v, want taken: %v", address, err, good)
		}
	}
}

func TestEqualTables(t *testing.T) {
	changes := map[string]func(*reconcile.Table){
		"version":   func(t *reconcile.Table) { t.Version++ },
		"name":      func(t *reconcile.Table) { t.Models[0].Name = "x" },
		"route":     func(t *reconcile.Table) { t.Models[0].Routes[0].Timeout = 1 },
		"weight":    func(t *reconcile.Table) { t.Models[0].Revisions[0].Weight = 0 },
		"health":    func(t *reconcile.Table) { t.Models[0].Revisions[0].Health.Path = "/" },
		"cold":      func(t *reconcile.Table) { t.Models[0].Revisions[0].Replicas[0].Cold = true },
		"candidate": func(t *reconcile.Table) { t.Models[0].Candidate = "r1" },
		"sticky":    func(t *reconcile.Table) { t.Models[0].Sticky = &spec.Sticky{Header: "X-User"} },
		"match":     func(t *reconcile.Table) { t.Models[0].Match = &spec.Match{Header: "X-Beta", Value: "1"} },
		"mirror":    func(t *reconcile.Table) { t.Models[0].Mirror = &spec.Mirror{Percent: 1} },
		"outputs":   func(t *reconcile.Table) { t.Models[0].Outputs = []reconcile.ScoredOutput{{Name: "score"}} },
		"limit":     func(t *reconcile.Table) { t.Models[0].Routes[0].Limit = &spec.RouteLimit{Rate: 1} },
		"auth":      func(t *reconcile.Table) { t.Models[0].Routes[0].Auth = &reconcile.RoutedAuth{Issuer: "i"} },
		"drain":     func(t *reconcile.Table) { t.Models[0].Revisions[0].Replicas[0].Drain = true },
		"no model":  func(t *reconcile.Table) { t.Models = nil },
	}
	full := func() reconcile.Table {
		table := goodTable()
		m := &table.Models[0]
		m.Candidate, m.Sticky, m.Mirror = "r1", &spec.Sticky{Cookie: "side"}, &spec.Mirror{Percent: 5}
		m.Routes[0].Limit, m.Routes[0].Auth = &spec.RouteLimit{Rate: 1}, &reconcile.RoutedAuth{Issuer: "i", Keys: "{}"}
		return table
	}
	if !goodTable().Equal(goodTable()) || !full().Equal(full()) {
		t.Error("equal tables differ")
	}
	for name, change := range changes {
		other := goodTable()
		change(&other)
		if goodTable().Equal(other) {
			t.Errorf("%s makes no difference", name)
		}
	}
}

func TestTableSaysWhatIsWrongWithTraffic(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	cases := []struct {
		name   string
		change func(*reconcile.RoutedModel)
		says   string // "": it is taken
	}{
		{"sticky by header", func(m *reconcile.RoutedModel) { m.Sticky = &spec.Sticky{Header: "X-User"} }, ""},
		{"sticky by both", func(m *reconcile.RoutedModel) { m.Sticky = &spec.Sticky{Header: "X-User", Cookie: "user"} }, "exactly one"},
		{"sticky by nothing", func(m *reconcile.RoutedModel) { m.Sticky = &spec.Sticky{} }, "exactly one"},
		{"cookie that is none", func(m *reconcile.RoutedModel) { m.Sticky = &spec.Sticky{Cookie: "a;b"} }, "name of a header or a cookie"},
		{"match without value", func(m *reconcile.RoutedModel) { m.Match = &spec.Match{Header: "X-Beta"} }, "value is empty"},
		{"header with a line break", func(m *reconcile.RoutedModel) { m.Match = &spec.Match{Header: "X-A\r\nB", Value: "1"} }, "name of a header"},
		{"a candidate that has no replica yet", func(m *reconcile.RoutedModel) { m.Candidate = "r2" }, ""},
		{"mirror above all", func(m *reconcile.RoutedModel) { m.Mirror = &spec.Mirror{Percent: 101} }, "101 percent"},
		{"tolerance below zero", func(m *reconcile.RoutedModel) { m.Mirror = &spec.Mirror{Percent: 1, Tolerance: -1} }, "tolerance"},
		{"tolerance that is no number", func(m *reconcile.RoutedModel) { m.Mirror = &spec.Mirror{Percent: 1, Tolerance: math.NaN()} }, "tolerance"},
		{"output twice", func(m *reconcile.RoutedModel) { m.Outputs = []reconcile.ScoredOutput{{Name: "a"}, {Name: "a"}} }, `output "a"`},
		{"burst below zero", func(m *reconcile.RoutedModel) { m.Routes[0].Limit = &spec.RouteLimit{Rate: 1, Burst: -1} }, "below zero"},
		{"auth for nobody", func(m *reconcile.RoutedModel) { m.Routes[0].Auth = &reconcile.RoutedAuth{} }, "nobody could use"},
		{"a key", func(m *reconcile.RoutedModel) { m.Routes[0].Auth = &reconcile.RoutedAuth{KeyHashes: []string{hash}} }, ""},
		{"a key in the clear", func(m *reconcile.RoutedModel) {
			m.Routes[0].Auth = &reconcile.RoutedAuth{KeyHashes: []string{"hunter2"}}
		}, "no SHA-256"},
		{"keys without order", func(m *reconcile.RoutedModel) {
			m.Routes[0].Auth = &reconcile.RoutedAuth{KeyHashes: []string{hash, strings.Repeat("aa", 32)}}
		}, "not sorted"},
		{"an issuer without keys", func(m *reconcile.RoutedModel) { m.Routes[0].Auth = &reconcile.RoutedAuth{Issuer: "https://id.example"} }, "belong together"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			table := goodTable()
			c.change(&table.Models[0])
			err := table.Validate()
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("got %v, want an error with %q", err, c.says)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error tells a key: %v", err)
			}
		})
	}
}
