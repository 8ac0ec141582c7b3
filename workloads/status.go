package workloads

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Published reports whether a controller has written an address into the status of an Ingress.
func (f *Fleet) Published(ctx context.Context, ingress Key) (bool, error) {
	i, err := f.cfg.Client.NetworkingV1().Ingresses(ingress.Namespace).Get(ctx, ingress.Name, metav1.GetOptions{})
	if err != nil {
		return false, err
	}
	return len(i.Status.LoadBalancer.Ingress) > 0, nil
}
