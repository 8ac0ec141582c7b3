package workloads

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// AddNodes makes remote nodes.
func (f *Fleet) AddNodes(ctx context.Context, nodes []Node) error {
	defer f.begin("create node", func(s State) {
		for _, n := range nodes {
			s.Nodes[n.Name] = n
		}
	})()
	return run(ctx, f, work[Node]{verb: "create node", items: nodes, name: func(n Node) string { return n.Name }, do: f.createNode, pace: f.api})
}

// RemoveNodes removes nodes by name.
func (f *Fleet) RemoveNodes(ctx context.Context, names []string) error {
	defer f.begin("delete node", func(s State) {
		for _, n := range names {
			delete(s.Nodes, n)
		}
	})()
	return run(ctx, f, work[string]{verb: "delete node", items: names, name: itself, do: f.deleteNode, pace: f.api, goOn: true})
}

// AddNamespaces makes namespaces.
func (f *Fleet) AddNamespaces(ctx context.Context, namespaces []Namespace) error {
	defer f.begin("create namespace", func(s State) {
		for _, n := range namespaces {
			s.Namespaces[n.Name] = n
		}
	})()
	return run(ctx, f, work[Namespace]{verb: "create namespace", items: namespaces, name: namespaceName, do: f.createNamespace, pace: f.api})
}

func namespaceName(n Namespace) string { return n.Name }

func itself(s string) string { return s }

// RemoveNamespaces removes namespaces by name, with all pods and policies in them. If some of those could not be removed, the
// namespaces stay.
func (f *Fleet) RemoveNamespaces(ctx context.Context, names []string) error {
	s, going := f.State(), map[string]bool{}
	for _, n := range names {
		going[n] = true
	}
	in := func(k Key) bool { return going[k.Namespace] }
	maps.DeleteFunc(s.Pods, func(k Key, _ Pod) bool { return !in(k) })
	maps.DeleteFunc(s.Policies, func(k Key, _ Policy) bool { return !in(k) })
	if err := errors.Join(f.RemovePods(ctx, sortedKeys(s.Pods), Graceful), f.RemovePolicies(ctx, sortedKeys(s.Policies))); err != nil {
		return err
	}
	defer f.begin("delete namespace", func(s State) {
		for _, n := range names {
			delete(s.Namespaces, n)
		}
	})()
	return run(ctx, f, work[string]{verb: "delete namespace", items: names, name: itself, do: f.deleteNamespace, pace: f.api, goOn: true})
}

// RelabelNamespaces gives namespaces the labels that they have here, and no others but the API's own. It is an error if a
// namespace is not in the model.
func (f *Fleet) RelabelNamespaces(ctx context.Context, namespaces []Namespace) error {
	acknowledged, err := f.changeEach("relabel namespace", func(s State) (unknown []string) {
		for _, n := range namespaces {
			if _, ok := s.Namespaces[n.Name]; !ok {
				unknown = append(unknown, n.Name)
				continue
			}
			s.Namespaces[n.Name] = n
		}
		return unknown
	})
	if err != nil {
		return err
	}
	defer acknowledged()
	return run(ctx, f, work[Namespace]{verb: "relabel namespace", items: namespaces, name: namespaceName, do: f.relabelNamespace, pace: f.api})
}

// AddPolicies makes policies.
func (f *Fleet) AddPolicies(ctx context.Context, policies []Policy) error {
	defer f.putPolicies("create policy", policies)()
	return run(ctx, f, work[Policy]{verb: "create policy", items: policies, name: policyName, do: f.createPolicy, pace: f.api})
}

// ChangePolicies gives policies that exist the rules that they have here.
func (f *Fleet) ChangePolicies(ctx context.Context, policies []Policy) error {
	defer f.putPolicies("change policy", policies)()
	return run(ctx, f, work[Policy]{verb: "change policy", items: policies, name: policyName, do: f.changePolicy, pace: f.api})
}

func (f *Fleet) putPolicies(verb string, policies []Policy) (acknowledged func()) {
	return f.begin(verb, func(s State) {
		for _, p := range policies {
			s.Policies[p.Key] = p
		}
	})
}

func policyName(p Policy) string { return p.String() }

// RemovePolicies removes policies.
func (f *Fleet) RemovePolicies(ctx context.Context, policies []Key) error {
	policies = slices.SortedFunc(slices.Values(policies), compareKeys)
	defer f.begin("delete policy", func(s State) {
		for _, k := range policies {
			delete(s.Policies, k)
		}
	})()
	return run(ctx, f, work[Key]{verb: "delete policy", items: policies, name: Key.String, do: f.deletePolicy, pace: f.api, goOn: true})
}

// changeEach changes the model by do, which returns the names that it did not find there.
func (f *Fleet) changeEach(verb string, do func(State) []string) (acknowledged func(), err error) {
	var unknown []string
	acknowledged = f.begin(verb, func(s State) { unknown = do(s) })
	if len(unknown) > 0 {
		acknowledged()
		return nil, fmt.Errorf("%s: %d are not in the model, such as %s", verb, len(unknown), unknown[0])
	}
	return acknowledged, nil
}
