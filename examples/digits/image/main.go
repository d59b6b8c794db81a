// Command image packs programs into container images, without any engine or
// registry: it writes archives in the format of `docker save`.
//
//	go run ./image                 the server with each of the weights in weights/, to build/
//	go run ./image --load          and loads them into the Docker Engine
//	go run ./image --load weights/digits-1.2.0.json
//	go run ./image --load --steps  the steps of the pipeline
//	go run ./image --load --program ../../bin/fairlead --name fairlead --version demo
//
// The images start from nothing (FROM scratch): a static program, its files, and a
// user without rights. Equal input makes equal images, down to the image id.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/fairlead/fairlead/examples/digits/internal/nn"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// settings is what the flags say.
type settings struct {
	out     string
	load    bool
	name    string
	version string // of a program
	arch    string
	steps   bool
	program string
	weights []string
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var set settings
	flags := flag.NewFlagSet("image", flag.ExitOnError)
	flags.StringVar(&set.out, "out", "build", "directory for the archives, NAME-VERSION.tar")
	flags.BoolVar(&set.load, "load", false, "load the images into the Docker Engine at $DOCKER_HOST, else at "+defaultHost)
	flags.StringVar(&set.name, "name", "", "name of the images; default: digits, or digits-steps")
	flags.StringVar(&set.version, "version", "1", "tag of an image without weights; with weights it is their version")
	flags.StringVar(&set.arch, "arch", runtime.GOARCH, "architecture of the images")
	flags.BoolVar(&set.steps, "steps", false, "pack the steps of the pipeline, digits-steps:1")
	flags.StringVar(&set.program, "program", "", "pack this static program; needs --name")
	_ = flags.Parse(args) // ExitOnError: it does not return one
	set.weights = flags.Args()

	archives, err := set.archives(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(set.out, 0o755); err != nil {
		return fmt.Errorf("make the directory for the archives: %w", err)
	}
	for _, archive := range archives {
		file := filepath.Join(set.out, strings.ReplaceAll(archive.tag, ":", "-")+".tar")
		if err := os.WriteFile(file, archive.tar, 0o644); err != nil {
			return fmt.Errorf("write the archive: %w", err)
		}
		fmt.Fprintf(out, "%s  %s  %.1f MB  %s\n", archive.tag, archive.id, float64(len(archive.tar))/1e6, file)
		if !set.load {
			continue
		}
		if err := loadImage(ctx, os.Getenv("DOCKER_HOST"), archive.tar); err != nil {
			return fmt.Errorf("load %s into the engine: %w", archive.tag, err)
		}
		fmt.Fprintf(out, "%s  is in the engine now\n", archive.tag)
	}
	return nil
}

// archives packs what was asked for.
func (set *settings) archives(ctx context.Context) ([]*archive, error) {
	switch {
	case set.steps:
		steps, err := build(ctx, "steps", set.arch)
		if err != nil {
			return nil, err
		}
		return one(packProgram(steps, set.nameOr("digits-steps"), set.version, set.arch))
	case set.program != "" && set.name == "":
		return nil, errors.New("--program needs --name, for the image")
	case set.program != "":
		program, err := os.ReadFile(set.program)
		if err != nil {
			return nil, fmt.Errorf("read the program: %w", err)
		}
		return one(packProgram(program, set.name, set.version, set.arch))
	}
	paths, err := weightsPaths(set.weights)
	if err != nil {
		return nil, err
	}
	server, err := build(ctx, "server", set.arch)
	if err != nil {
		return nil, err
	}
	var archives []*archive
	for _, path := range paths {
		archive, err := pack(server, path, set.nameOr("digits"), set.arch)
		if err != nil {
			return nil, err
		}
		archives = append(archives, archive)
	}
	return archives, nil
}

func (set *settings) nameOr(otherwise string) string {
	if set.name != "" {
		return set.name
	}
	return otherwise
}

func one(a *archive, err error) ([]*archive, error) { return []*archive{a}, err }

func weightsPaths(args []string) ([]string, error) {
	if len(args) > 0 {
		return args, nil
	}
	paths, err := filepath.Glob("weights/*.json")
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, errors.New("there are no weights in weights/; `go run ./train` writes them")
	}
	return paths, nil
}

// build compiles a program of the example without C, so that it runs in an empty
// image, and without paths and version control stamps, so that equal sources give
// equal bytes.
func build(ctx context.Context, program, arch string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "digits-"+program+"-")
	if err != nil {
		return nil, fmt.Errorf("make a directory to build the %s in: %w", program, err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, program)
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=",
		"-o", file, "github.com/fairlead/fairlead/examples/digits/"+program)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if output, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the %s: %w\n%s", program, err, output)
	}
	return os.ReadFile(file)
}

func pack(server []byte, path, name, arch string) (*archive, error) {
	weights, err := nn.ReadWeights(path) // a broken file is found now, not in the container
	if err != nil {
		return nil, err
	}
	if weights.Version == "" {
		return nil, fmt.Errorf("%s does not say which version it is, so the image would have no tag", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read weights: %w", err)
	}
	// The server has a layer of its own: all versions share it.
	return newArchive(content{
		name: name, version: weights.Version, arch: arch, entrypoint: "/server", ports: []string{"8080/tcp"},
		layers: []layer{
			{{"server", 0o755, server}},
			{{"model/", 0o755, nil}, {"model/weights", 0o644, text}},
		},
	})
}

// packProgram packs a program that reads and writes what is mounted.
func packProgram(program []byte, name, version, arch string) (*archive, error) {
	return newArchive(content{
		name: name, version: version, arch: arch, entrypoint: "/" + name,
		layers: []layer{{{name, 0o755, program}}},
	})
}
