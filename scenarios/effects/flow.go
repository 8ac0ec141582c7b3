package effects

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/workloads"
)

// End is one end of a flow.
type End struct {
	workloads.Key // the zero Key is the local node itself
	Addr          netip.Addr
	Remote        bool // on another node
}

// String returns the pod's namespace and name, or "node".
func (e End) String() string {
	if e.Key == (workloads.Key{}) {
		return "node"
	}
	return e.Key.String()
}

// Flow is one TCP connection, or one UDP datagram and its answer, over the local node: its ends are the node, its pods that have a
// veth, and one pod of another node at most.
type Flow struct {
	From, To End
	Protocol corev1.Protocol
	Port     uint16
}

// String returns the flow in words.
func (f Flow) String() string { return f.fact().String() }

// fact is the one on what becomes of the flow, alike to others between its ends.
func (f Flow) fact() report.Fact {
	return report.Fact{Aspect: report.Packets, Kind: report.Flow, Subject: f.From.String() + " > " + f.To.String(), Part: f.way()}
}

// way is protocol, family and port.
func (f Flow) way() string {
	family := strings.ToLower(string(f.Protocol))
	if f.To.Addr.Is6() {
		family += "6"
	}
	return fmt.Sprintf("%s/%d", family, f.Port)
}

// Connector makes real connections.
type Connector interface {
	Connect(ctx context.Context, flows []Flow) (Outcomes, error)
}

// Node is what the SUT decides of traffic between its own node and the pods there whatever the policies say.
type Node struct {
	Addr    netip.Addr // the node's
	Sends   bool       // what the node sends reaches its pods; else their policies decide
	Listens bool       // pods reach the node if their policies let them; else never
}
