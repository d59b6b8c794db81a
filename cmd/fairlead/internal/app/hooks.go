package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"

	"github.com/fairlead/fairlead/providers/webhook"
)

// endpoints reads --webhook NAME=KIND:FILE.
func (c *Config) endpoints() ([]webhook.Endpoint, error) {
	var all []webhook.Endpoint
	for _, text := range c.Webhooks {
		name, rest, named := strings.Cut(text, "=")
		kind, file, filed := strings.Cut(rest, ":")
		if !named || !filed || name == "" || kind == "" || file == "" {
			return nil, fmt.Errorf("--webhook %q is not of the form NAME=KIND:FILE, as in main=github:/etc/fairlead/webhook", text)
		}
		all = append(all, webhook.Endpoint{Name: name, Kind: webhook.Kind(kind), SecretFile: file})
	}
	return all, nil
}

// openHooks makes the receiver of webhooks; nil where there are none.
func (d *Daemon) openHooks() (*webhook.Receiver, error) {
	c := d.site.Config
	endpoints, err := c.endpoints()
	if err != nil || len(endpoints) == 0 {
		return nil, err
	}
	if c.Listen == "" && c.WebhookListen == "" {
		return nil, fmt.Errorf("--webhook needs an address to be reached at: set --webhook-listen")
	}
	return webhook.New(webhook.Options{Endpoints: endpoints, Wake: d.hook, Log: d.log})
}

// serveHooks listens for webhooks alone, where that is wanted.
func (d *Daemon) serveHooks(ctx context.Context, wg *sync.WaitGroup, log *slog.Logger) error {
	if d.hooks == nil || d.site.Config.WebhookListen == "" {
		return nil
	}
	var listen net.ListenConfig
	tcp, err := listen.Listen(ctx, "tcp", d.site.Config.WebhookListen)
	if err != nil {
		return fmt.Errorf("listen for webhooks on --webhook-listen %s: %w", d.site.Config.WebhookListen, err)
	}
	log.Info("webhooks", "address", tcp.Addr().String())
	serve(ctx, wg, log, tcp, webhook.NewServer(d.hooks))
	return nil
}
