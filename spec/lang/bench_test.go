package lang

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/spec"
)

// bigTree is a repo of n models, one per file, a hundred to a directory, with
// what such repos have in common: a registry variable, locals, overlays.
type bigTree struct {
	files []spec.File
	text  map[string]string
}

func (t *bigTree) Commit() spec.Commit { return spec.Commit{} }
func (t *bigTree) Files() []spec.File  { return t.files }
func (t *bigTree) Read(path string) ([]byte, error) {
	return []byte(t.text[path]), nil
}

func modelFile(i, replicas int) string {
	return fmt.Sprintf(`# Model %d of the benchmark.
model "m%05d" {
  description = "Scores transactions of segment %d."
  owners      = [local.team]
  version     = "1.4.%d"
  image       = "${var.registry}/m%05d@sha256:%s"
  protocol    = open_inference
  replicas    = %d
  env         = { THREADS = "2", ENVIRONMENT = env.name }

  resources {
    cpus   = 1
    memory = "256MiB"
  }
  health {
    interval    = "1s"
    min_healthy = "3s"
  }
  route {
    path    = "/segments/%d"
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
  }
}
`, i, i, i, i%10, i, strings.Repeat("6c3c624b", 8), replicas, i)
}

func newBigTree(n int) *bigTree {
	t := &bigTree{text: make(map[string]string, n+1)}
	add := func(path, content string) {
		t.text[path] = content
		t.files = append(t.files, spec.File{Path: path, Hash: fmt.Sprintf("h%08d", len(t.files)), Size: int64(len(content))})
	}
	add("common.hcl", `
variable "registry" { default = "localhost:5000" }
locals { team = "@vision" }
environment "prod" {
  model "m00007" { replicas = 4 }
}
`)
	for i := range n {
		add(fmt.Sprintf("models/%02d/m%05d.hcl", i/100, i), modelFile(i, 2))
	}
	return t
}

// with returns the tree with another number of replicas in one file.
func (t *bigTree) with(i, replicas int) *bigTree {
	next := &bigTree{files: append([]spec.File(nil), t.files...), text: t.text}
	f := &next.files[i+1]
	next.text[f.Path] = modelFile(i, replicas)
	f.Hash = fmt.Sprintf("%s-%d", f.Hash, replicas)
	return next
}

func BenchmarkLoadFull10k(b *testing.B) {
	big := newBigTree(10_000)
	for b.Loop() {
		if _, diags := NewLoader().Load(big, Options{Environment: "prod"}); diags.HasErrors() {
			b.Fatal(diags.Err())
		}
	}
}

func BenchmarkLoadOneChanged10k(b *testing.B) {
	trees := []*bigTree{newBigTree(10_000)}
	for i := range 8 {
		trees = append(trees, trees[0].with(5_000, 3+i))
	}
	l := NewLoader()
	if _, diags := l.Load(trees[0], Options{Environment: "prod"}); diags.HasErrors() {
		b.Fatal(diags.Err())
	}
	i := 1
	for b.Loop() {
		cfg, diags := l.Load(trees[i%len(trees)], Options{Environment: "prod"})
		if diags.HasErrors() || len(cfg.Models) != 10_000 {
			b.Fatal(diags.Err())
		}
		i++
	}
}

// pipelineFile is the pipeline that a team writes, as testdata/digits_pipeline.hcl.
func pipelineFile(b *testing.B, i int, share float64) string {
	b.Helper()
	src, err := os.ReadFile("testdata/digits_pipeline.hcl")
	if err != nil {
		b.Fatal(err)
	}
	text := strings.ReplaceAll(string(src), "digits\" {", fmt.Sprintf("d%05d\" {", i))
	text = strings.NewReplacer(".digits", fmt.Sprintf(".d%05d", i), "default = 0.2", fmt.Sprintf("default = %g", share)).Replace(text)
	return text
}

// One of 1,000 pipelines, each with its model and its dataset, has changed.
func BenchmarkLoadOneChanged1kPipelines(b *testing.B) {
	t := &bigTree{text: map[string]string{}}
	add := func(path, content string) {
		t.text[path] = content
		t.files = append(t.files, spec.File{Path: path, Hash: fmt.Sprintf("h%08d", len(t.files)), Size: int64(len(content))})
	}
	add("data/digits.csv.gz", "x")
	add("digits/model-card.md", "# Digits\n")
	for i := range 1000 {
		add(fmt.Sprintf("p/d%05d.hcl", i), pipelineFile(b, i, 0.2))
	}
	l := NewLoader()
	for i := 0; b.Loop(); i++ {
		f := &t.files[500]
		t.text[f.Path] = pipelineFile(b, 498, float64(i%7)/10)
		f.Hash = fmt.Sprintf("c%d", i)
		cfg, diags := l.Load(t, Options{})
		if diags.HasErrors() || len(cfg.Pipelines) != 1000 {
			b.Fatal(diags.Err())
		}
	}
}
