package fvtest

import (
	"context"
	"fmt"
	"maps"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	policyv1alpha1 "sigs.k8s.io/network-policy-api/apis/v1alpha1"
	policyv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"

	"github.com/nodefv/nodefv/workloads"
)

// State returns the cluster as the API holds it now, whoever wrote it: what the oracle is asked of. Of pods that were plugged, addresses and
// ports are those that they were plugged with.
func (e *Env) State(ctx context.Context) (workloads.State, error) {
	model := e.fleet.State()
	s := workloads.NewState(model.LocalNode)
	for _, kind := range workloads.Kinds() {
		if kind.Feature() != "" && !e.served[kind.Kind()] {
			continue
		}
		list, err := kind.List(ctx, e.clients(), metav1.ListOptions{})
		if err == nil {
			err = meta.EachListItem(list, func(o runtime.Object) error { return put(&s, model, o) })
		}
		if err != nil {
			return s, fmt.Errorf("read what the API holds of kind %s: %w", kind.Kind(), err)
		}
	}
	return s, nil
}

// put adds an object of the API to a state. The model knows what was plugged.
func put(s *workloads.State, model workloads.State, object runtime.Object) error {
	switch o := object.(type) {
	case *corev1.Node:
		s.Put(workloads.Node{Name: o.Name, Local: o.Name == s.LocalNode, IP: nodeAddr(o), Labels: o.Labels})
	case *corev1.Namespace:
		labels := maps.Clone(o.Labels)
		delete(labels, corev1.LabelMetadataName) // a State's namespaces have it without saying so
		s.Put(workloads.Namespace{Name: o.Name, Labels: labels})
	case *corev1.Pod:
		pod := podOf(o)
		if plugged, ok := model.Pods().Lookup(pod.Key); ok {
			pod.IPs, pod.Ports, pod.Bare = plugged.IPs, plugged.Ports, plugged.Bare
		}
		s.Put(pod)
	case *networkingv1.NetworkPolicy:
		s.Put(workloads.Policy{Key: workloads.Key{Namespace: o.Namespace, Name: o.Name}, Spec: o.Spec})
	case *policyv1alpha1.AdminNetworkPolicy:
		s.Put(workloads.AdminPolicy{Name: o.Name, Spec: o.Spec})
	case *policyv1alpha1.BaselineAdminNetworkPolicy:
		s.Put(workloads.BaselinePolicy{Name: o.Name, Spec: o.Spec})
	case *policyv1alpha2.ClusterNetworkPolicy:
		s.Put(workloads.ClusterPolicy{Name: o.Name, Spec: o.Spec})
	default:
		return fmt.Errorf("the oracle is not told of %T", object)
	}
	return nil
}

// nodeAddr is the first address of a node that is its own; invalid if it has none.
func nodeAddr(n *corev1.Node) netip.Addr {
	for _, a := range n.Status.Addresses {
		if addr, err := netip.ParseAddr(a.Address); err == nil && a.Type == corev1.NodeInternalIP {
			return addr
		}
	}
	return netip.Addr{}
}

// podOf is a pod of which the API alone knows: it has no veth.
func podOf(p *corev1.Pod) workloads.Pod {
	pod := workloads.Pod{Key: workloads.Key{Namespace: p.Namespace, Name: p.Name}, Node: p.Spec.NodeName, Labels: p.Labels, Bare: true}
	if p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
		return pod // its addresses may be others'
	}
	for _, ip := range p.Status.PodIPs {
		if addr, err := netip.ParseAddr(ip.IP); err == nil {
			pod.IPs = append(pod.IPs, addr)
		}
	}
	for _, c := range p.Spec.Containers {
		for _, port := range c.Ports {
			pod.Ports = append(pod.Ports, workloads.NamedPort{Name: port.Name, Protocol: port.Protocol, Port: uint16(port.ContainerPort)})
		}
	}
	return pod
}
