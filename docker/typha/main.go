// Command calico-typha is Calico's fan-out proxy between the API server and its agents, built from its Go module.
package main

import (
	"context"
	"log"

	"github.com/projectcalico/calico/typha/pkg/daemon"
)

func main() {
	log.Fatalf("calico-typha: %v", daemon.New().InitializeAndServeForever(context.Background()))
}
