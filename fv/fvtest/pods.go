package fvtest

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nodefv/nodefv/workloads"
)

// Pod returns a pod on the agent's node, with an address of its own once it is plugged. Named ports, addresses and another node can be set
// in it before.
func Pod(namespace, name string, labels map[string]string) workloads.Pod {
	return workloads.Pod{Key: workloads.Key{Namespace: namespace, Name: name}, Labels: labels}
}

// Plug makes pods: their objects in the API and, on the agent's node, a network namespace and a veth each. A pod without a node is on the
// agent's; one of another node is known to the API, and its packets come from outside. A pod without addresses gets one of IPv4.
// Namespaces and nodes that are missing are made.
func (e *Env) Plug(ctx context.Context, pods ...workloads.Pod) error {
	e.plugged.Lock()
	defer e.plugged.Unlock()
	pods = slices.Clone(pods)
	for i := range pods {
		p := &pods[i]
		p.Node = cmp.Or(p.Node, e.Node())
		if len(p.IPs) == 0 {
			e.dealt++
			v4, _ := workloads.PodAddresses(e.dealt)
			p.IPs = []netip.Addr{v4}
		}
	}
	if err := e.haveNodes(ctx, pods); err != nil {
		return err
	}
	if err := e.haveNamespaces(ctx, pods); err != nil {
		return err
	}
	return e.fleet.AddPods(ctx, pods)
}

// Unplug removes pods from the API and from the node. One that is not there is no error.
func (e *Env) Unplug(ctx context.Context, pods ...workloads.Key) error {
	return e.fleet.RemovePods(ctx, pods, workloads.Graceful)
}

func (e *Env) haveNodes(ctx context.Context, pods []workloads.Pod) error {
	known, missing := e.fleet.State().Nodes(), []workloads.Node(nil)
	for _, p := range pods {
		has := func(n workloads.Node) bool { return n.Name == p.Node }
		if !known.Has(workloads.Key{Name: p.Node}) && !slices.ContainsFunc(missing, has) {
			missing = append(missing, workloads.Node{Name: p.Node, IP: workloads.NodeAddress(known.Len() + len(missing))})
		}
	}
	return e.fleet.AddNodes(ctx, missing)
}

func (e *Env) haveNamespaces(ctx context.Context, pods []workloads.Pod) error {
	var names []string
	for _, p := range pods {
		names = append(names, p.Namespace)
	}
	slices.Sort(names)
	var missing []workloads.Namespace
	for _, name := range slices.Compact(names) {
		_, err := e.client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			missing = append(missing, workloads.Namespace{Name: name})
		case err != nil:
			return fmt.Errorf("look for namespace %s: %w", name, err)
		}
	}
	return e.fleet.AddNamespaces(ctx, missing)
}
