// Package fuzz churns a live environment by operations that follow from a seed, compares as it goes, and shrinks what fails.
//
// It owns the operations (pure data), the model that they advance, the generator, the shrinker, and the record of a failure with
// which it is repeated. An operation means something in every state, if need be nothing: so each subsequence of a run is a run.
// What it does to the node beyond the world of a scenario it does through faults.Saboteur. One run at a time; the pure parts
// (Op, Model, Generator, Shrink) are values for one goroutine each.
//
// The shrinker is our own. Those of property-testing libraries, pgregory.net/rapid among them, run a property thousands of times on
// ever shorter streams of random bits, take it to be quick and certain, and change names and addresses from one try to the next. A
// run against a live SUT takes seconds, may fail only now and then, and its names and addresses are part of what fails. The unit
// tests of this package use rapid, for which they are made.
package fuzz

import (
	"net/netip"

	networkingv1 "k8s.io/api/networking/v1"
	policyv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"

	"github.com/nodefv/nodefv/workloads"
)

// Verb is what an operation does.
type Verb string

// The operations.
const (
	AddNode           Verb = "add node"
	RemoveNode        Verb = "remove node"
	AddNamespace      Verb = "add namespace"
	RemoveNamespace   Verb = "remove namespace" // with all that is in it
	RelabelNamespace  Verb = "relabel namespace"
	AddPod            Verb = "add pod"
	PlugPod           Verb = "plug pod" // the veth of a bare pod, or one ahead of its pod
	RemovePod         Verb = "remove pod"
	RelabelPod        Verb = "relabel pod"
	ClearPodAddresses Verb = "clear pod addresses"
	MovePod           Verb = "move pod" // to another node, with its name and addresses
	AddPolicy         Verb = "add policy"
	ChangePolicy      Verb = "change policy"
	RemovePolicy      Verb = "remove policy"
	RestartAgent      Verb = "restart agent"

	AddAdminPolicy      Verb = "add admin policy"
	ChangeAdminPolicy   Verb = "change admin policy"
	RemoveAdminPolicy   Verb = "remove admin policy"
	AddBaseline         Verb = "add baseline"
	ChangeBaseline      Verb = "change baseline"
	RemoveBaseline      Verb = "remove baseline"
	AddClusterPolicy    Verb = "add cluster policy"
	ChangeClusterPolicy Verb = "change cluster policy"
	RemoveClusterPolicy Verb = "remove cluster policy"

	// Objects of the kinds that have no operations of their own.
	AddObject    Verb = "add object"
	ChangeObject Verb = "change object"
	RemoveObject Verb = "remove object"
)

// Op is one operation, with all that it needs. Only the fields that its verb needs are set.
type Op struct {
	Do        Verb                            `json:"do"`
	Namespace string                          `json:"namespace,omitempty"`
	Name      string                          `json:"name,omitempty"` // of the pod, policy or node
	Labels    map[string]string               `json:"labels,omitempty"`
	Node      string                          `json:"node,omitempty"` // where a pod is; empty: on the SUT's node
	IPs       []netip.Addr                    `json:"ips,omitempty"`  // IPv4 first; of a node: one
	Ports     []workloads.NamedPort           `json:"ports,omitempty"`
	Bare      bool                            `json:"bare,omitempty"`   // the local pod's veth is still to come
	Forced    bool                            `json:"forced,omitempty"` // the veth goes before the object
	Spec      *networkingv1.NetworkPolicySpec `json:"spec,omitempty"`
	// Wide is a cluster-wide policy of any kind, in the words of the newest.
	Wide *policyv1alpha2.ClusterNetworkPolicySpec `json:"wide,omitempty"`
	// Kind and Object, as JSON, are those of a kind that has no operations of its own.
	Kind   workloads.Kind `json:"kind,omitempty"`
	Object string         `json:"object,omitempty"`
}

// Batch is how many operations are made between two comparisons.
const Batch = 10

// String names the operation and its object.
func (o Op) String() string {
	do := string(o.Do)
	if o.Kind != "" {
		do += " " + string(o.Kind)
	}
	if o.Name == "" {
		return do + " " + o.Namespace
	}
	return do + " " + o.key().String()
}

func (o Op) key() workloads.Key { return workloads.Key{Namespace: o.Namespace, Name: o.Name} }

// pod is the pod that the operation describes.
func (o Op) pod(local string) workloads.Pod {
	p := workloads.Pod{Key: o.key(), Node: o.Node, Labels: o.Labels, IPs: o.IPs, Ports: o.Ports}
	if p.Node == "" {
		p.Node, p.Bare = local, o.Bare
		return p
	}
	return p
}

// count returns how many operations there are in batches.
func count(batches [][]Op) int {
	n := 0
	for _, b := range batches {
		n += len(b)
	}
	return n
}
