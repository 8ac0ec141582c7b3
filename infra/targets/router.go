package targets

import "github.com/nodefv/nodefv/workloads/routing"

// Router is a target that answers requests on the node's address, by passing them on to pods.
type Router interface {
	// Listens says on which ports of the node requests are answered.
	Listens() Listening
	// Dialect says what it makes of what the APIs leave open, and which routes are its own.
	Dialect() routing.Dialect
}

// Listening are the ports of a Router.
type Listening struct {
	HTTP  uint16
	HTTPS uint16 // 0: none

	// Closes: it listens only where it has a route, so that a connection that is not taken is what 404 is elsewhere.
	Closes bool
}
