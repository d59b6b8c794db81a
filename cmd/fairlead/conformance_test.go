package main

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/gateway"
	"github.com/fairlead/fairlead/providers/oip"
	"github.com/fairlead/fairlead/providers/oip/oiptest"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// A model that speaks the protocol does so through the gateway as well: it adds
// nothing and takes nothing away.
func TestModelConformsThroughTheGateway(t *testing.T) {
	replica := httptest.NewServer(oiptest.Sample("fraud"))
	defer replica.Close()
	token := spec.NewSensitive("test")
	server, err := gateway.NewServer(gateway.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Token: token, DrainTimeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	router := gateway.NewClient(token)
	defer router.Close()
	table := reconcile.Table{FormatVersion: reconcile.TableFormat, Version: 1, Models: []reconcile.RoutedModel{{
		Name: "fraud", Protocol: spec.OpenInference,
		Revisions: []reconcile.RoutedRevision{{
			Revision: "one", Weight: 100, Health: reconcile.HealthProbe{Path: "/v2/health/ready", Interval: 20 * time.Millisecond, Timeout: 5 * time.Second},
			Replicas: []reconcile.RoutedReplica{{ID: "r", Address: replica.Listener.Addr().String()}},
		}},
	}}}
	admin := server.AdminAddr().String()
	if err := router.Push(t.Context(), admin, table); err != nil {
		t.Fatal(err)
	}
	for report := (reconcile.Report{}); !report.Replicas["r"].Healthy; {
		if report, err = router.Report(t.Context(), admin, report.Sequence, time.Second); err != nil {
			t.Fatal(err)
		}
	}
	report := oip.Check(t.Context(), nil, "http://"+server.Addr().String(), "")
	if !report.Conforms || report.Model != "fraud" {
		t.Errorf("model %q, problem %q", report.Model, report.Problem)
	}
	for _, r := range report.Failures() {
		t.Errorf("%s: %s\nsent %s\ngot  %s", r.ID, r.Reason, r.Sent, r.Answered)
	}
}
