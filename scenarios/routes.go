package scenarios

import (
	"fmt"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/scenarios/routed"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/routing"
)

// shopfront is a cluster whose pods stand behind services, and routes that lead to them.
type shopfront struct {
	routed.Front
	w *engine.World
}

func frontOf(w *engine.World) shopfront {
	return shopfront{routed.FrontOf(w), w}
}

// pods returns the local pods, oldest first: those that serve.
func (f shopfront) pods() []workloads.Pod {
	s := f.w.Fleet.State()
	pods := s.LocalPods()
	workloads.SortByAge(pods)
	return pods
}

// host is the name of a route's own.
func host(i int) string { return fmt.Sprintf("route-%d.example", i) }

// ask is the request for a host's root.
func ask(host string) routing.Request { return routing.Request{Host: host, Path: "/"} }

func serviceName(i int) string { return fmt.Sprintf("service-%d", i) }
