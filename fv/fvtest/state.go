package fvtest

import (
	"context"
	"fmt"
	"maps"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nodefv/nodefv/workloads"
)

// State returns the cluster as the API holds it now, whoever wrote it: what the oracle is asked of. Of pods that were plugged, addresses and
// ports are those that they were plugged with.
func (e *Env) State(ctx context.Context) (workloads.State, error) {
	model := e.fleet.State()
	s := workloads.NewState(model.LocalNode)
	maps.Copy(s.Nodes, model.Nodes)
	namespaces, err := e.client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
	if err != nil {
		return s, fmt.Errorf("list namespaces: %w", err)
	}
	for _, n := range namespaces.Items {
		labels := maps.Clone(n.Labels)
		delete(labels, corev1.LabelMetadataName) // a State's namespaces have it without saying so
		s.Namespaces[n.Name] = workloads.Namespace{Name: n.Name, Labels: labels}
	}
	pods, err := e.client.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return s, fmt.Errorf("list pods: %w", err)
	}
	for _, p := range pods.Items {
		pod := podOf(p)
		if plugged, ok := model.Pods[pod.Key]; ok {
			pod.IPs, pod.Ports, pod.Bare = plugged.IPs, plugged.Ports, plugged.Bare
		}
		s.Pods[pod.Key] = pod
	}
	policies, err := e.client.NetworkingV1().NetworkPolicies("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return s, fmt.Errorf("list policies: %w", err)
	}
	for _, p := range policies.Items {
		key := workloads.Key{Namespace: p.Namespace, Name: p.Name}
		s.Policies[key] = workloads.Policy{Key: key, Spec: p.Spec}
	}
	return s, e.addClusterWide(ctx, s)
}

// podOf is a pod of which the API alone knows: it has no veth.
func podOf(p corev1.Pod) workloads.Pod {
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

// addClusterWide adds the cluster-wide policies of the kinds that the cluster knows.
func (e *Env) addClusterWide(ctx context.Context, s workloads.State) error {
	if e.served[workloads.AdminKind] {
		policies, err := e.admin.PolicyV1alpha1().AdminNetworkPolicies().List(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("list admin policies: %w", err)
		}
		for _, p := range policies.Items {
			s.AdminPolicies[p.Name] = workloads.AdminPolicy{Name: p.Name, Spec: p.Spec}
		}
	}
	if e.served[workloads.BaselineKind] {
		policies, err := e.admin.PolicyV1alpha1().BaselineAdminNetworkPolicies().List(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("list the baseline: %w", err)
		}
		for _, p := range policies.Items {
			s.Baseline[p.Name] = workloads.BaselinePolicy{Name: p.Name, Spec: p.Spec}
		}
	}
	if e.served[workloads.ClusterKind] {
		policies, err := e.admin.PolicyV1alpha2().ClusterNetworkPolicies().List(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("list cluster policies: %w", err)
		}
		for _, p := range policies.Items {
			s.ClusterPolicies[p.Name] = workloads.ClusterPolicy{Name: p.Name, Spec: p.Spec}
		}
	}
	return nil
}
