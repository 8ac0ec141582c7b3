package workloads

import (
	"context"
	"errors"
	"fmt"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
)

// published reports whether the API says at which address an Ingress is served.
func published(i *networkingv1.Ingress) bool { return len(i.Status.LoadBalancer.Ingress) > 0 }

// Published reports whether the API says of a route as it is now that it is served: at which address an Ingress is, that each parent of an HTTPRoute has
// accepted it, or that a Gateway is programmed.
func (f *Fleet) Published(ctx context.Context, route Part) (bool, error) {
	switch route.Kind {
	case HTTPRouteKind:
		o, err := f.cfg.Dynamic.Resource(httpRouteResource).Namespace(route.Key.Namespace).Get(ctx, route.Key.Name, metav1.GetOptions{})
		return err == nil && accepted(o), err
	case GatewayKind:
		o, err := f.cfg.Dynamic.Resource(gatewayResource).Namespace(route.Key.Namespace).Get(ctx, route.Key.Name, metav1.GetOptions{})
		return err == nil && holds(o, o.Object["status"], "Programmed"), err
	}
	i, err := f.cfg.Client.NetworkingV1().Ingresses(route.Key.Namespace).Get(ctx, route.Key.Name, metav1.GetOptions{})
	return err == nil && published(i), err
}

// accepted reports whether each parent of an HTTPRoute has accepted it as it is now.
func accepted(route *unstructured.Unstructured) bool {
	wanted, _, _ := unstructured.NestedSlice(route.Object, "spec", "parentRefs")
	parents, _, _ := unstructured.NestedSlice(route.Object, "status", "parents")
	for _, p := range parents {
		if !holds(route, p, "Accepted") {
			return false
		}
	}
	return len(parents) > 0 && len(parents) == len(wanted)
}

// holds reports whether a condition of a status is true of the object as it is now.
func holds(o *unstructured.Unstructured, status any, condition string) bool {
	of, _ := status.(map[string]any)
	all, _, _ := unstructured.NestedSlice(of, "conditions")
	for _, c := range all {
		is, _ := c.(map[string]any)
		if generation, _, _ := unstructured.NestedInt64(is, "observedGeneration"); is["type"] == condition {
			return is["status"] == "True" && generation == o.GetGeneration()
		}
	}
	return false
}

// AwaitPublished begins to wait until the API says at which address an Ingress is served, which need not be there yet. What it returns waits for
// that, and returns when it was heard.
func (f *Fleet) AwaitPublished(ctx context.Context, key Key) (wait func() (time.Time, error), err error) {
	watch, err := f.cfg.Client.NetworkingV1().Ingresses(key.Namespace).Watch(ctx, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", key.Name).String()})
	if err != nil {
		return nil, fmt.Errorf("watch ingress %s: %w", key, err)
	}
	type heard struct {
		at  time.Time
		err error
	}
	done := make(chan heard, 1)
	go func() {
		defer watch.Stop()
		for {
			select {
			case <-ctx.Done():
				done <- heard{err: fmt.Errorf("status of ingress %s: %w", key, context.Cause(ctx))}
				return
			case e, open := <-watch.ResultChan():
				if !open {
					done <- heard{err: errors.New("the watch of ingress " + key.String() + " ended")}
					return
				}
				if i, ok := e.Object.(*networkingv1.Ingress); ok && i.Name == key.Name && published(i) {
					done <- heard{at: time.Now()}
					return
				}
			}
		}
	}()
	return func() (time.Time, error) {
		h := <-done
		return h.at, h.err
	}, nil
}

// Unpublished returns how many Ingresses of the fleet there are of which the API does not say at which address they are served.
func (f *Fleet) Unpublished(ctx context.Context) (n int, err error) {
	all, err := f.cfg.Client.NetworkingV1().Ingresses("").List(ctx, metav1.ListOptions{LabelSelector: ours})
	if err != nil {
		return 0, fmt.Errorf("list each ingress: %w", err)
	}
	for i := range all.Items {
		if !published(&all.Items[i]) {
			n++
		}
	}
	return n, nil
}
