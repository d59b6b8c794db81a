// Command image packs the server and one set of weights each into container
// images, without any engine or registry: it writes archives in the format of
// `docker save`.
//
//	go run ./image                 archives of all weights in weights/, to build/
//	go run ./image --load          and loads them into the Docker Engine
//	go run ./image --load weights/digits-1.2.0.json
//
// The images start from nothing (FROM scratch): a static server, the weights, and
// a user without rights. Equal input makes equal images, down to the image id.
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

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("image", flag.ExitOnError)
	dir := flags.String("out", "build", "directory for the archives, NAME-VERSION.tar")
	load := flags.Bool("load", false, "load the images into the Docker Engine at $DOCKER_HOST, else at "+defaultHost)
	name := flags.String("name", "digits", "name of the images; the tag is the version of the weights")
	arch := flags.String("arch", runtime.GOARCH, "architecture of the images")
	_ = flags.Parse(args) // ExitOnError: it does not return one

	paths, err := weightsPaths(flags.Args())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(*dir, 0o755); err != nil {
		return fmt.Errorf("make the directory for the archives: %w", err)
	}
	server, err := buildServer(ctx, *arch)
	if err != nil {
		return err
	}
	for _, path := range paths {
		archive, err := pack(server, path, *name, *arch)
		if err != nil {
			return err
		}
		file := filepath.Join(*dir, fmt.Sprintf("%s-%s.tar", *name, archive.version))
		if err := os.WriteFile(file, archive.tar, 0o644); err != nil {
			return fmt.Errorf("write the archive: %w", err)
		}
		fmt.Fprintf(out, "%s  %s  %.1f MB  %s\n", archive.tag, archive.id, float64(len(archive.tar))/1e6, file)
		if !*load {
			continue
		}
		if err := loadImage(ctx, os.Getenv("DOCKER_HOST"), archive.tar); err != nil {
			return fmt.Errorf("load %s into the engine: %w", archive.tag, err)
		}
		fmt.Fprintf(out, "%s  is in the engine now\n", archive.tag)
	}
	return nil
}

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

// buildServer compiles the server without C, so that it runs in an empty image,
// and without paths and version control stamps, so that equal sources give equal
// bytes.
func buildServer(ctx context.Context, arch string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "digits-server-")
	if err != nil {
		return nil, fmt.Errorf("make a directory to build the server in: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "server")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=",
		"-o", file, "github.com/fairlead/fairlead/examples/digits/server")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if output, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the server: %w\n%s", err, output)
	}
	return os.ReadFile(file)
}

func pack(server []byte, path, name, arch string) (*archive, error) {
	weights, err := nn.ReadWeights(path) // a broken file is found now, not in the container
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read weights: %w", err)
	}
	// The server has a layer of its own: all versions share it.
	return newArchive(name+":"+weights.Version, weights.Version, arch, []layer{
		{{"server", 0o755, server}},
		{{"model/", 0o755, nil}, {"model/weights", 0o644, text}},
	})
}
