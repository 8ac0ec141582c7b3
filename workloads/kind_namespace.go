package workloads

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
)

// NamespaceKind is the kind of namespaces.
const NamespaceKind Kind = "Namespace"

// Namespace is a namespace of the cluster; its labels never include kubernetes.io/metadata.name, which the API adds.
type Namespace struct {
	Name   string
	Labels map[string]string
}

// Part names the namespace.
func (n Namespace) Part() Part { return NamespaceKind.Named(n.Name) }

// Namespaces are the namespaces.
func (s State) Namespaces() Objects[Namespace] { return Objects[Namespace]{s, NamespaceKind} }

// labels are those that the API has of the namespace.
func (n Namespace) labels() labels.Set {
	all := owned(n.Labels)
	all[metadataName] = n.Name
	return all
}

// namespaces are finalized as well once they are deleted: with no controller-manager they would stay Terminating.
var namespaces = &kind[Namespace, corev1.Namespace]{
	name: NamespaceKind, word: "namespace", resource: "namespaces", subresources: []string{"finalize"}, relabels: true,
	object: func(_ *Fleet, n Namespace) *corev1.Namespace {
		return &corev1.Namespace{ObjectMeta: meta(n.Part().Key, n.Labels)}
	},
	client: func(c Clients, _ string) writer[corev1.Namespace] { return c.Core.CoreV1().Namespaces() },
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Core.CoreV1().Namespaces().List(ctx, o)
	},
	patch: func(n Namespace) []edit { return relabelling(n.labels()) }, // the API refuses a namespace without its name
	deleted: func(ctx context.Context, f *Fleet, k Key) error {
		return attempt(ctx, "finalize namespace", k.Name, never, func(ctx context.Context) error {
			all := f.cfg.Client.CoreV1().Namespaces()
			ns, err := all.Get(ctx, k.Name, metav1.GetOptions{})
			if err == nil {
				ns.Spec.Finalizers = nil
				_, err = all.Finalize(ctx, ns, metav1.UpdateOptions{})
			}
			return ignoreGone(err) // where a controller-manager runs, it may be faster
		})
	},
}

// namespaceKind is the descriptor of namespaces.
type namespaceKind struct {
	*kind[Namespace, corev1.Namespace]
}

func (namespaceKind) delete(ctx context.Context, f *Fleet, keys []Key) error {
	return f.removeNamespaces(ctx, keys)
}

// AddNamespaces makes namespaces.
func (f *Fleet) AddNamespaces(ctx context.Context, all []Namespace) error {
	return namespaces.add(ctx, f, all)
}

// RelabelNamespaces gives namespaces the labels that they have here, and no others but the API's own. It is an error if a
// namespace is not in the model.
func (f *Fleet) RelabelNamespaces(ctx context.Context, all []Namespace) error {
	return namespaces.alter(ctx, f, all)
}

// RemoveNamespaces removes namespaces by name, with all that is in them. If some of that could not be removed, the namespaces stay.
func (f *Fleet) RemoveNamespaces(ctx context.Context, names []string) error {
	return f.removeNamespaces(ctx, clusterKeys(names))
}

func (f *Fleet) removeNamespaces(ctx context.Context, keys []Key) error {
	s, inside := f.State(), []Part(nil)
	for _, k := range keys {
		inside = append(inside, s.Inside(k.Name)...)
	}
	if err := f.Remove(ctx, inside...); err != nil {
		return err
	}
	return namespaces.drop(ctx, f, keys)
}
