package lang

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/fairlead/fairlead/spec"
)

// sample is the example of the design, which must always load as it stands.
const sample = `
variable "registry" {
  type    = string
  default = "localhost:5000"
}

model "digits" {
  description = "Reads handwritten digits, 8x8 pixels."
  owners      = ["@vision"]
  version     = "1.1.0"
  image       = "${var.registry}/digits@sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b"
  protocol    = open_inference
  port        = 8080
  replicas    = 2
  env         = { THREADS = "2" }

  resources {
    cpus   = 1
    memory = "256MiB"
  }

  signature {
    input "pixels" {
      datatype = FP32
      shape    = [-1, 64]
    }
    output "digit" {
      datatype = INT64
      shape    = [-1]
    }
  }

  health {
    path        = "/v2/health/ready"
    interval    = "1s"
    min_healthy = "3s"
    deadline    = "1m"
  }

  warmup {
    request = file("warmup/digits.json")
    count   = 20
  }

  route {
    path    = "/digits"
    timeout = "2s"
  }

  rollout {
    strategy = canary

    step {
      weight = 5
      hold   = "2m"
    }
    step {
      weight   = 50
      approval = true
    }

    check "errors" {
      metric = error_ratio
      max    = 0.01
    }
    check "latency" {
      metric        = latency_p99
      max_vs_stable = 1.2
    }
    check "accuracy" {
      query = "digits_accuracy{revision=\"$candidate\"}"
      min   = 0.95
    }

    progress_deadline = "1h"
    keep_previous     = "1h"
  }
}

environment "prod" {
  model "digits" {
    replicas = 4
  }
}
`

func sampleTree() tree {
	return tree{"digits.hcl": sample, "warmup/digits.json": `{"inputs": []}`}
}

func number(n float64) *float64 { return &n }

func TestSampleOfTheDesignLoadsExactly(t *testing.T) {
	cfg := mustLoad(t, NewLoader(), sampleTree(), Options{Environment: "prod", Version: "0.1.0"})
	at := func(line, column int) spec.Pos { return spec.Pos{File: "digits.hcl", Line: line, Column: column} }
	want := &spec.Config{
		Environment:  "prod",
		Environments: []string{"prod"},
		Secrets:      map[string]*spec.Secret{},
		Models: []*spec.Model{{
			Address:     spec.Address{Kind: spec.KindModel, Name: "digits"},
			Name:        "digits",
			Pos:         at(7, 1),
			Description: "Reads handwritten digits, 8x8 pixels.",
			Owners:      []string{"@vision"},
			Version:     "1.1.0",
			Image:       "localhost:5000/digits@sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b",
			Protocol:    spec.OpenInference,
			Port:        8080,
			Replicas:    4,
			Container: spec.Container{
				Env:         map[string]spec.EnvValue{"THREADS": {Value: "2"}},
				Resources:   spec.Resources{CPUs: 1, Memory: 256 << 20, PIDs: 512},
				Restart:     spec.RestartUnlessStopped,
				StopTimeout: 10 * time.Second,
				Logs:        spec.Logs{MaxSize: 10 << 20, MaxFiles: 3},
			},
			Signature: &spec.Signature{
				Inputs:  []spec.Tensor{{Name: "pixels", Datatype: "FP32", Shape: []int64{-1, 64}}},
				Outputs: []spec.Tensor{{Name: "digit", Datatype: "INT64", Shape: []int64{-1}}},
			},
			Health: spec.Health{
				Path: "/v2/health/ready", Interval: time.Second, Timeout: time.Second,
				MinHealthy: 3 * time.Second, Deadline: time.Minute,
			},
			Warmup: &spec.Warmup{Request: []byte(`{"inputs": []}`), Count: 20},
			Routes: []spec.Route{{Path: "/digits", Timeout: 2 * time.Second, Pos: at(45, 3)}},
			Rollout: &spec.Rollout{
				Strategy: spec.Canary,
				Steps:    []spec.RolloutStep{{Weight: 5, Hold: 2 * time.Minute}, {Weight: 50, Approval: true}},
				Checks: []spec.Check{
					{Name: "errors", Metric: spec.ErrorRatio, Max: number(0.01), Interval: time.Minute, MinSamples: 5, Pos: at(62, 5)},
					{Name: "latency", Metric: spec.LatencyP99, MaxVsStable: number(1.2), Interval: time.Minute, MinSamples: 5, Pos: at(66, 5)},
					{Name: "accuracy", Query: `digits_accuracy{revision="$candidate"}`, Min: number(0.95), Interval: time.Minute, MinSamples: 5, Pos: at(70, 5)},
				},
				ProgressDeadline: time.Hour, KeepPrevious: time.Hour,
				Velocity: spec.VelocityRestart, OnFailure: spec.ActionRollback, OnDeadline: spec.ActionRollback,
				Pos: at(50, 3),
			},
		}},
	}
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("the config differs:\ngot  %s\nwant %s", asJSON(t, cfg), asJSON(t, want))
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	out, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
