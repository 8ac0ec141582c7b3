package traefik

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/targets"
)

const gatewayGroup = "gateway.networking.k8s.io"

var gatewayClasses = schema.GroupVersionResource{Group: gatewayGroup, Version: "v1", Resource: "gatewayclasses"}

// installGatewayAPI makes the CRDs of the Gateway API, and Traefik's GatewayClass.
func (t traefik) installGatewayAPI(ctx context.Context, cp infra.ControlPlane) error {
	dyn, err := dynamic.NewForConfig(cp.Config)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	brought, err := t.manifests()
	if err != nil {
		return err
	}
	if err := brought.Install(ctx, dyn); err != nil {
		return err
	}
	class := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"controllerName": ofGateways}}}
	class.SetGroupVersionKind(gatewayClasses.GroupVersion().WithKind("GatewayClass"))
	class.SetName(name)
	if _, err := dyn.Resource(gatewayClasses).Create(ctx, class, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create gateway class %s: %w", name, err)
	}
	return nil
}

// manifests are the CRDs of the Gateway API's release that Traefik is built with.
func (t traefik) manifests() (targets.Manifests, error) {
	brought, err := targets.ReadManifests(t.Manifests, name)
	if err != nil {
		return brought, err
	}
	if brought = brought.Of(gatewayGroup); len(brought.CRDs) == 0 {
		return brought, fmt.Errorf("no CRDs of %s in %q", gatewayGroup, t.Manifests)
	}
	return brought, nil
}

// Seed returns the CRDs of the Gateway API as they are stored, if Traefik routes by it.
func (t traefik) Seed() (map[string][]byte, error) {
	if t.DataPlane != gateway {
		return nil, nil
	}
	brought, err := t.manifests()
	if err != nil {
		return nil, err
	}
	return brought.Seed()
}
