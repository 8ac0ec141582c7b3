package workloads

import (
	"context"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// IngressKind is the kind of Ingresses.
const IngressKind Kind = "Ingress"

// Ingress is an Ingress.
type Ingress struct {
	Key
	Spec networkingv1.IngressSpec
}

// Part names the Ingress.
func (i Ingress) Part() Part { return IngressKind.Part(i.Key) }

// Ingresses are the Ingresses.
func (s State) Ingresses() Objects[Ingress] { return Objects[Ingress]{s, IngressKind} }

var ingresses = &kind[Ingress, networkingv1.Ingress]{
	name: IngressKind, word: "ingress", feature: HTTPRouting, group: networkingv1.GroupName, resource: "ingresses", namespaced: true,
	object: func(_ *Fleet, i Ingress) *networkingv1.Ingress {
		return &networkingv1.Ingress{ObjectMeta: meta(i.Key, nil), Spec: i.Spec}
	},
	client: func(c Clients, namespace string) writer[networkingv1.Ingress] {
		return c.Core.NetworkingV1().Ingresses(namespace)
	},
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Core.NetworkingV1().Ingresses("").List(ctx, o)
	},
	patch: func(i Ingress) []edit { return respecifying(i.Spec) },
}

// AddIngresses makes Ingresses.
func (f *Fleet) AddIngresses(ctx context.Context, all []Ingress) error {
	return ingresses.add(ctx, f, all)
}

// ChangeIngresses gives Ingresses that exist the specification that they have here.
func (f *Fleet) ChangeIngresses(ctx context.Context, all []Ingress) error {
	return ingresses.alter(ctx, f, all)
}

// RemoveIngresses removes Ingresses.
func (f *Fleet) RemoveIngresses(ctx context.Context, keys []Key) error {
	return ingresses.drop(ctx, f, keys)
}
