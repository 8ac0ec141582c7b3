package workloads

import (
	"context"
	"errors"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestPublished(t *testing.T) {
	client := fake.NewClientset()
	f := NewFleet(Config{Client: client}, NewState("here"))
	key := Key{"shop", "front"}
	wait, err := f.AwaitPublished(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.AddIngresses(t.Context(), []Ingress{{Key: key}}); err != nil {
		t.Fatal(err)
	}
	if n, err := f.Unpublished(t.Context()); n != 1 || err != nil {
		t.Errorf("%d are not published, %v", n, err)
	}
	object, err := client.NetworkingV1().Ingresses("shop").Get(t.Context(), "front", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	object.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: "10.0.0.1"}}
	if _, err := client.NetworkingV1().Ingresses("shop").UpdateStatus(t.Context(), object, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if at, err := wait(); at.IsZero() || err != nil {
		t.Errorf("%v, %v", at, err)
	}
	if n, err := f.Unpublished(t.Context()); n != 0 || err != nil {
		t.Errorf("%d are not published, %v", n, err)
	}
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	if wait, err = f.AwaitPublished(ctx, Key{"shop", "nobody"}); err != nil {
		t.Fatal(err)
	}
	cancel(why)
	if _, err := wait(); !errors.Is(err, why) {
		t.Errorf("of one that never comes: %v", err)
	}
}
