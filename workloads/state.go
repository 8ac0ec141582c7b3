// Package workloads holds the desired state of a cluster and makes it so.
//
// It owns the address plan, the NetworkPolicy oracle and the Fleet, which applies changes to the API and to the
// kernel, model first. State and everything computed from it are pure data and pure functions; a Fleet is safe for
// concurrent use. The kernel is reached through the Plugger interface alone, so this package links no netlink.
package workloads

import (
	"cmp"
	"context"
	"net/netip"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// Topology is a shape, before names and addresses.
type Topology struct {
	RemoteNodes      int  // nodes known to the API alone
	Namespaces       int  // how many namespaces
	PodsPerNamespace int  // pods in each
	Local            int  // how many of all pods are on the local node, spread evenly; -1 means all
	DualStack        bool // give pods an IPv6 address as well
	IPv6Only         bool // give pods an IPv6 address alone
}

// Key names a namespaced object.
type Key struct{ Namespace, Name string }

// String returns namespace/name.
func (k Key) String() string { return k.Namespace + "/" + k.Name }

func compareKeys(a, b Key) int {
	return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
}

// Node is a node of the cluster.
type Node struct {
	Name   string
	Local  bool // the SUT runs there
	IP     netip.Addr
	Labels map[string]string
}

// Namespace is a namespace of the cluster; its labels never include kubernetes.io/metadata.name, which the API adds.
type Namespace struct {
	Name   string
	Labels map[string]string
}

// Pod is a workload.
type Pod struct {
	Key
	Node   string
	Labels map[string]string
	IPs    []netip.Addr // IPv4 first; empty: it has no address
	Ports  []NamedPort  // what its container names; fixed for its life
	Bare   bool         // a local pod whose veth is still to come
}

// NamedPort is a port of a container that a policy can name.
type NamedPort struct {
	Name     string
	Protocol corev1.Protocol
	Port     uint16
}

// plugged says whether the pod has a veth.
func (s State) plugged(p Pod) bool {
	return p.Node == s.LocalNode && !p.Bare
}

// Policy is a NetworkPolicy.
type Policy struct {
	Key
	Spec networkingv1.NetworkPolicySpec
}

// State is the desired state: pure data. Its methods do not change it, but for those that say so.
type State struct {
	LocalNode       string
	Nodes           map[string]Node
	Namespaces      map[string]Namespace
	Pods            map[Key]Pod
	Policies        map[Key]Policy
	AdminPolicies   map[string]AdminPolicy    // by name
	Baseline        map[string]BaselinePolicy // by name, which is BaselineName: there is one or none
	ClusterPolicies map[string]ClusterPolicy  // by name
	Ahead           map[Key]bool              // veths on the local node that came before their pods
}

// Plug is what the kernel must hold for a pod with a veth.
type Plug struct {
	Pod           Key
	HostInterface string // name of the host end of its veth
	IPs           []netip.Addr
}

// Plugger connects local pods to the node: one network namespace and one veth each. Implementations are safe for
// concurrent use. Plug undoes what it made for a pod that fails; Unplug of an unknown pod is no error.
type Plugger interface {
	Plug(ctx context.Context, pods []Plug) error
	Unplug(ctx context.Context, pods []Key) error
}

// Readdresser is a Plugger that wants to know of pods whose veths stay, though their addresses are these from now on and others may
// be other pods'.
type Readdresser interface {
	Readdress(pods []Plug) error
}
