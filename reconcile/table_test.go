package reconcile_test

import (
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
	table.FormatVersion = 2
	m := &table.Models[0]
	m.Protocol = "gopher"
	m.Routes[0].Path, m.Routes[1].Host = "/digits/", "a.example:80"
	m.Revisions[0].Weight = 99
	m.Revisions[0].Replicas[1] = reconcile.RoutedReplica{ID: "c1", Address: "10.0.0.1"}
	err := table.Validate()
	if err == nil {
		t.Fatal("the table was taken")
	}
	for _, want := range []string{"format_version is 2", `"gopher"`, "ends in /", "has a port", "add up to 99", "ids are unique", "not ip:port"} {
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
		"version":  func(t *reconcile.Table) { t.Version++ },
		"name":     func(t *reconcile.Table) { t.Models[0].Name = "x" },
		"route":    func(t *reconcile.Table) { t.Models[0].Routes[0].Timeout = 1 },
		"weight":   func(t *reconcile.Table) { t.Models[0].Revisions[0].Weight = 0 },
		"health":   func(t *reconcile.Table) { t.Models[0].Revisions[0].Health.Path = "/" },
		"drain":    func(t *reconcile.Table) { t.Models[0].Revisions[0].Replicas[0].Drain = true },
		"no model": func(t *reconcile.Table) { t.Models = nil },
	}
	if !goodTable().Equal(goodTable()) {
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
