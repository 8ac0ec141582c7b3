// Package agenttest is an example: the test of a project that has an agent of its own, here the pinned Felix.
package agenttest

import (
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/nodefv/nodefv/fv/fvtest"
)

// TestPolicy lets the cart, and nobody else, reach the web server.
func TestPolicy(t *testing.T) {
	env, ctx := fvtest.Start(t, fvtest.Options{}), t.Context()
	web := fvtest.Pod("shop", "web", map[string]string{"app": "web"})
	cart := fvtest.Pod("shop", "cart", map[string]string{"app": "cart"})
	visitor := fvtest.Pod("street", "visitor", nil)
	if err := env.Plug(ctx, web, cart, visitor); err != nil {
		t.Fatal(err)
	}
	may := fvtest.Flow{From: cart.Key, To: web.Key, Port: 8080}
	mayNot := fvtest.Flow{From: visitor.Key, To: web.Key, Port: 8080}
	if err := env.Verify(ctx, may, mayNot); err != nil {
		t.Fatal("without a policy: ", err)
	}

	client, err := kubernetes.NewForConfig(env.Config())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.NetworkingV1().NetworkPolicies("shop").Create(ctx, onlyTheCart, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for flow, want := range map[fvtest.Flow]bool{may: true, mayNot: false} {
		if decision, err := env.Decide(ctx, flow); err != nil || decision.Allowed != want {
			t.Fatalf("the oracle says of %s: %+v, %v", flow, decision, err)
		}
	}
	if err := env.Verify(ctx, may, mayNot); err != nil {
		t.Error("with the policy: ", err)
	}
}

var onlyTheCart = &networkingv1.NetworkPolicy{
	ObjectMeta: metav1.ObjectMeta{Name: "only-the-cart"},
	Spec: networkingv1.NetworkPolicySpec{
		PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
		Ingress: []networkingv1.NetworkPolicyIngressRule{{
			From: []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "cart"}}}},
		}},
	},
}
