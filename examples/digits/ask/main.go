// Command ask sends held-out digits to a model and tells how well it reads them.
//
//	go run ./ask --url http://localhost:8080/v2/models/digits --n 50
//
// It draws the first digit, names every one that was read wrongly, and ends with
// the accuracy, the versions that answered, and the latency. It ends with code 1
// if a request failed; a wrong answer is no failure. Interrupted or terminated, it
// sums up what it has: so it can also be load that runs until something is over,
//
//	go run ./ask --url http://localhost:8080/v2/models/digits --n 1000000 --rate 200 --quiet
//
// at a steady rate.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/fairlead/fairlead/examples/digits/data"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "ask:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("ask", flag.ExitOnError)
	url := flags.String("url", "http://localhost:8080/v2/models/digits", "the model; /infer is added")
	n := flags.Int("n", 50, "how many digits to send, one request each; after the last one all follow again, in another order")
	rate := flags.Int("rate", 0, "most requests per second; 0: each as soon as the one before is answered")
	quiet := flags.Bool("quiet", false, "print the figures only")
	timeout := flags.Duration("timeout", 5*time.Second, "of one request")
	_ = flags.Parse(args) // ExitOnError: it does not return one
	if *n < 1 {
		return fmt.Errorf("--n is %d; it must be at least 1", *n)
	}
	if *rate < 0 || *rate > maxRate {
		return fmt.Errorf("--rate is %d; it must be from 0 to %d", *rate, maxRate)
	}

	digits, err := data.Load()
	if err != nil {
		return err
	}
	_, heldOut := data.Split(digits)
	client := &client{url: *url, http: &http.Client{Timeout: *timeout}}
	defer client.http.CloseIdleConnections()
	each := out
	if *quiet {
		each = io.Discard
	}
	tally := newTally()
	pace := newPace(*rate)
	defer pace.stop()
	for d := range passes(heldOut, *n) {
		pace.wait(ctx)
		answer, err := client.ask(ctx, d)
		if ctx.Err() != nil {
			break // what there is so far is still worth a summary
		}
		if tally.asked() == 0 {
			draw(each, d)
		}
		tally.add(each, d, answer, err)
	}
	tally.summary(out)
	if tally.failed > 0 {
		return fmt.Errorf("%d of %d requests failed; the first: %w", tally.failed, tally.asked(), tally.firstFailure)
	}
	return nil
}
