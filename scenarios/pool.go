package scenarios

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// The pool is a namespace in which four servers do the same for two clients on their node and one on another. A policy lets
// the servers hear clients alone.
var pool = workloads.Topology{RemoteNodes: 1, Namespaces: 1, PodsPerNamespace: len(poolPods), Local: len(poolPods) - 1}

const poolServers = 4

// poolPods are the pool's pods in the order in which they are planned: the first is remote.
var poolPods = [...]struct{ name, role string }{
	{"client-remote", "client"}, {"client-1", "client"}, {"client-2", "client"},
	{"server-1", "server"}, {"server-2", "server"}, {"server-3", "server"}, {"server-4", "server"},
}

// arrangePool gives the pool's pods their names and labels.
func arrangePool(s *workloads.State) {
	for i, p := range podsOf(*s, s.Namespaces().List()[0].Name) {
		s.Remove(workloads.PodKind.Part(p.Key))
		p.Key.Name, p.Labels = poolPods[i].name, map[string]string{"role": poolPods[i].role}
		s.Put(p)
	}
}

// poolOf returns the pool's clients and servers, in the order of their names.
func poolOf(w *engine.World) (clients, servers []workloads.Pod) {
	for _, p := range w.Fleet.State().Pods().List() {
		if p.Labels["role"] == "server" {
			servers = append(servers, p)
		} else {
			clients = append(clients, p)
		}
	}
	return clients, servers
}

// poolGuard lets the pool's servers hear its clients alone.
func poolGuard(w *engine.World) workloads.Policy {
	return workloads.Policy{
		Key:  workloads.Key{Namespace: w.Fleet.State().Namespaces().List()[0].Name, Name: "guard"},
		Spec: hears(label("role", "server"), nil, networkingv1.NetworkPolicyPeer{PodSelector: label("role", "client")}),
	}
}

// fromClients are flows of all clients of the pool to an address.
func fromClients(w *engine.World, to effects.End) (flows []effects.Flow) {
	clients, _ := poolOf(w)
	for _, c := range clients {
		from := effects.End{Key: c.Key, Addr: c.IPs[0], Remote: c.Node != w.Fleet.State().LocalNode}
		flows = append(flows, effects.Flow{From: from, To: to, Protocol: corev1.ProtocolTCP, Port: effects.LoadPort})
	}
	return flows
}

// keysOf are the names of pods.
func keysOf(pods []workloads.Pod) (keys []workloads.Key) {
	for _, p := range pods {
		keys = append(keys, p.Key)
	}
	return keys
}

// broken is an error of something that had to hold.
func broken(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, engine.ErrBroken)...)
}
