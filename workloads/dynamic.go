package workloads

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// NewDynamicClient returns a client for kinds of which we have no types, which does not throttle itself.
func NewDynamicClient(cfg *rest.Config) (dynamic.Interface, error) {
	cfg = rest.CopyConfig(cfg)
	cfg.QPS = -1
	client, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("make an API client: %w", err)
	}
	return client, nil
}

// dynamicWriter writes objects of a kind of which we have no type; nil: there is no such client.
func dynamicWriter(c Clients, of schema.GroupVersionResource, namespace string) writer[unstructured.Unstructured] {
	if c.Dynamic == nil {
		return nil
	}
	return dynamicKind{c.Dynamic.Resource(of).Namespace(namespace)}
}

// specified is an object of such a kind, with its specification.
func specified(of schema.GroupVersionResource, kind Kind, key Key, spec map[string]any) *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	object.SetGroupVersionKind(of.GroupVersion().WithKind(string(kind)))
	object.SetNamespace(key.Namespace)
	object.SetName(key.Name)
	object.SetLabels(owned(nil))
	return object
}

type dynamicKind struct{ objects dynamic.ResourceInterface }

func (d dynamicKind) Create(ctx context.Context, o *unstructured.Unstructured, opts metav1.CreateOptions) (*unstructured.Unstructured, error) {
	return d.objects.Create(ctx, o, opts)
}

func (d dynamicKind) Update(ctx context.Context, o *unstructured.Unstructured, opts metav1.UpdateOptions) (*unstructured.Unstructured, error) {
	return d.objects.Update(ctx, o, opts)
}

func (d dynamicKind) Patch(
	ctx context.Context, name string, pt types.PatchType, data []byte, opts metav1.PatchOptions, subresources ...string,
) (*unstructured.Unstructured, error) {
	return d.objects.Patch(ctx, name, pt, data, opts, subresources...)
}

func (d dynamicKind) Delete(ctx context.Context, name string, opts metav1.DeleteOptions) error {
	return d.objects.Delete(ctx, name, opts)
}
