// Command standin takes the place of Envoy in tests: it reads Envoy's bootstrap, asks for its configuration by Envoy's discovery protocol, listens
// where that says, and passes requests on as Envoy would.
//
// Of several endpoints of a request each gets its turn, whatever the weights. It knows what workloads/proxyconfig knows, and no more.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/nodefv/nodefv/workloads/proxyconfig/xds"
)

func main() {
	path := flag.String("config-path", "", "Envoy's bootstrap, JSON")
	flag.Bool("disable-hot-restart", true, "is always so")
	flag.String("log-level", "", "is taken and not looked at")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *path); err != nil {
		log.Fatal(err)
	}
}

// bootstrap is what of Envoy's counts here.
type bootstrap struct {
	Node struct {
		ID string `json:"id"`
	} `json:"node"`
	Admin struct {
		Address address `json:"address"`
	} `json:"admin"`
	Dynamic struct {
		LDS struct {
			Source struct {
				Services []struct {
					Envoy struct {
						Cluster string `json:"cluster_name"`
					} `json:"envoy_grpc"`
				} `json:"grpc_services"`
			} `json:"api_config_source"`
		} `json:"lds_config"`
	} `json:"dynamic_resources"`
	Static struct {
		Clusters []struct {
			Name       string `json:"name"`
			Assignment struct {
				Endpoints []struct {
					Members []struct {
						Endpoint struct {
							Address address `json:"address"`
						} `json:"endpoint"`
					} `json:"lb_endpoints"`
				} `json:"endpoints"`
			} `json:"load_assignment"`
		} `json:"clusters"`
	} `json:"static_resources"`
}

type address struct {
	Socket struct {
		Host string `json:"address"`
		Port int    `json:"port_value"`
	} `json:"socket_address"`
}

func (a address) String() string {
	return net.JoinHostPort(a.Socket.Host, strconv.Itoa(a.Socket.Port))
}

// source is where the configuration comes from.
func (b *bootstrap) source() (string, error) {
	services := b.Dynamic.LDS.Source.Services
	if len(services) != 1 {
		return "", fmt.Errorf("listeners come from %d services", len(services))
	}
	for _, c := range b.Static.Clusters {
		if c.Name != services[0].Envoy.Cluster {
			continue
		}
		for _, e := range c.Assignment.Endpoints {
			for _, m := range e.Members {
				return m.Endpoint.Address.String(), nil
			}
		}
	}
	return "", fmt.Errorf("no address of cluster %q", services[0].Envoy.Cluster)
}

func run(ctx context.Context, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var b bootstrap
	if err := json.Unmarshal(text, &b); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	from, err := b.source()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	client, err := xds.Open(b.Node.ID, from, new(net.Dialer).DialContext)
	if err != nil {
		return err
	}
	p := newProxy(client)
	admin := &http.Server{Addr: b.Admin.Address.String(), Handler: http.HandlerFunc(p.ready)}
	failed := make(chan error, 1)
	go func() { failed <- admin.ListenAndServe() }()
	select {
	case err = <-failed:
	case <-ctx.Done():
		err = admin.Close()
	}
	return errors.Join(err, client.Close(), p.close())
}
