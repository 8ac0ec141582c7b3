package workloads

import (
	"context"
	"errors"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Verify lists the objects of the API that differ from the model: there but not wanted, or wanted but not there.
func (f *Fleet) Verify(ctx context.Context) ([]string, error) {
	left, err := f.listed(ctx)
	if err != nil {
		return nil, err
	}
	s := f.State()
	delete(s.Nodes, s.LocalNode)
	left.nodes = slices.DeleteFunc(left.nodes, func(name string) bool { return name == s.LocalNode })
	differ := slices.Concat(
		compare("node", left.nodes, s.Nodes, itself), compare("namespace", left.namespaces, s.Namespaces, itself),
		compare("pod", left.pods, s.Pods, Key.String), compare("policy", left.policies, s.Policies, Key.String),
		compare("admin policy", left.admin, s.AdminPolicies, itself), compare("baseline", left.baseline, s.Baseline, itself),
		compare("cluster policy", left.cluster, s.ClusterPolicies, itself),
	)
	slices.Sort(differ)
	return differ, nil
}

func compare[K comparable, V any](kind string, got []K, want map[K]V, name func(K) string) (differ []string) {
	there := map[K]bool{}
	for _, k := range got {
		there[k] = true
		if _, ok := want[k]; !ok {
			differ = append(differ, kind+" "+name(k)+" is left")
		}
	}
	for k := range want {
		if !there[k] {
			differ = append(differ, kind+" "+name(k)+" is missing")
		}
	}
	return differ
}

// names are objects of the API.
type names struct {
	nodes, namespaces        []string
	pods, policies           []Key
	admin, baseline, cluster []string
}

// listed returns the API's objects that fleets made.
func (f *Fleet) listed(ctx context.Context) (got names, err error) {
	options := metav1.ListOptions{LabelSelector: ours}
	nodes, err := f.cfg.Client.CoreV1().Nodes().List(ctx, options)
	if err != nil {
		return got, fmt.Errorf("list nodes: %w", err)
	}
	for _, n := range nodes.Items {
		got.nodes = append(got.nodes, n.Name)
	}
	namespaces, err := f.cfg.Client.CoreV1().Namespaces().List(ctx, options)
	if err != nil {
		return got, fmt.Errorf("list namespaces: %w", err)
	}
	for _, n := range namespaces.Items {
		got.namespaces = append(got.namespaces, n.Name)
	}
	pods, err := f.cfg.Client.CoreV1().Pods("").List(ctx, options)
	if err != nil {
		return got, fmt.Errorf("list pods: %w", err)
	}
	for _, p := range pods.Items {
		got.pods = append(got.pods, Key{p.Namespace, p.Name})
	}
	policies, err := f.cfg.Client.NetworkingV1().NetworkPolicies("").List(ctx, options)
	if err != nil {
		return got, fmt.Errorf("list policies: %w", err)
	}
	for _, p := range policies.Items {
		got.policies = append(got.policies, Key{p.Namespace, p.Name})
	}
	var missed [3]error
	got.admin, missed[0] = adminPolicies.listed(ctx, f, options)
	got.baseline, missed[1] = baselines.listed(ctx, f, options)
	got.cluster, missed[2] = clusterPolicies.listed(ctx, f, options)
	return got, errors.Join(missed[:]...)
}
