// Command server serves one version of the digits model over the Open Inference
// Protocol.
//
//	go run ./server --weights weights/digits-1.1.0.json
//
// In a container it needs no flags: it takes the weights of the artifact that is
// mounted at /mnt/model, and without one those of the image, at /model/weights. A few
// things can also be set in the environment, since that is what a container gets:
// MODEL_NAME, MODEL_VERSION, THREADS and LINGER.
//
// On SIGTERM it first says that it is not ready, lingers for a moment so that
// gateways can turn away, finishes the requests that are open, and ends.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/fairlead/fairlead/examples/digits/internal/nn"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

// settings is what the flags and the environment say.
type settings struct {
	address string
	weights string
	name    string
	version string
	threads int           // 0: as many as the container may use
	linger  time.Duration // from the stop signal to closing the listener
}

// Where a container has its weights.
const (
	artifactWeights = "/mnt/model/weights.json"
	imageWeights    = "/model/weights"
)

// ownWeights is the file of the artifact where one is mounted, else that of the
// image. An artifact that cannot be read is not passed over.
func ownWeights(artifact, image string) string {
	if _, err := os.Stat(artifact); errors.Is(err, fs.ErrNotExist) {
		return image
	}
	return artifact
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, getenv func(string) string, stderr io.Writer) error {
	set, err := parse(args, getenv)
	if err != nil {
		return err
	}
	weights, err := nn.ReadWeights(set.weights)
	if err != nil {
		return err
	}
	if set.name != "" {
		weights.Name = set.name
	}
	if set.version != "" {
		weights.Version = set.version
	}
	if weights.Version == "" {
		return fmt.Errorf("%s does not say which version it is; set --version or $MODEL_VERSION", set.weights)
	}
	model, err := newModel(weights)
	if err != nil {
		return fmt.Errorf("%s: %w", set.weights, err)
	}
	if set.threads > 0 {
		runtime.GOMAXPROCS(set.threads)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", set.address)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", set.address, err)
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	log.Info("serving", "address", listener.Addr().String(), "model", weights.Name, "version", weights.Version,
		"kind", weights.Kind, "threads", runtime.GOMAXPROCS(0))
	if err := serve(ctx, listener, model, set.linger); err != nil {
		return err
	}
	log.Info("stopped, every open request was finished")
	return nil
}

func parse(args []string, getenv func(string) string) (settings, error) {
	set := settings{name: getenv("MODEL_NAME"), version: getenv("MODEL_VERSION"), linger: 2 * time.Second}
	var err error
	if v := getenv("THREADS"); v != "" {
		if set.threads, err = strconv.Atoi(v); err != nil || set.threads < 1 {
			return set, fmt.Errorf("THREADS is %q; it must be a whole number from 1", v)
		}
	}
	if v := getenv("LINGER"); v != "" {
		if set.linger, err = time.ParseDuration(v); err != nil || set.linger < 0 {
			return set, fmt.Errorf("LINGER is %q; it must be a duration such as 2s", v)
		}
	}
	flags := flag.NewFlagSet("server", flag.ContinueOnError)
	flags.StringVar(&set.address, "listen", ":8080", "address to listen on")
	flags.StringVar(&set.weights, "weights", ownWeights(artifactWeights, imageWeights), "weights file")
	flags.StringVar(&set.name, "name", set.name, "name of the model; default: $MODEL_NAME, else the name in the weights")
	flags.StringVar(&set.version, "version", set.version, "version of the model; default: $MODEL_VERSION, else the version in the weights")
	flags.DurationVar(&set.linger, "linger", set.linger, "how long to answer as not ready before the listener closes, also $LINGER")
	if err := flags.Parse(args); err != nil {
		return set, err
	}
	if flags.NArg() > 0 {
		return set, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	return set, nil
}
