package targets

import "github.com/nodefv/nodefv/workloads/routing"

// Configurer is a target that has no data plane of its own: it makes the configuration of a proxy, which reads it from the target. The driver reads it
// in the proxy's place, and what the proxy would do with a request is what counts.
type Configurer interface {
	// Configures says where the configuration is read, and for which proxy.
	Configures() Configured
	// Dialect says how it takes what the APIs leave open, and which routes are its own.
	Dialect() routing.Dialect
}

// Configured is the proxy that a target configures.
type Configured struct {
	Port  uint16 // on the node's loopback address, where the target speaks Envoy's discovery protocol
	Node  string // as which the proxy asks for its configuration
	HTTP  uint16 // port of the proxy's listener for HTTP
	HTTPS uint16 // and for TLS
}
