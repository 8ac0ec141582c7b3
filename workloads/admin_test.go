package workloads

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	policyv1alpha1 "sigs.k8s.io/network-policy-api/apis/v1alpha1"
	adminfake "sigs.k8s.io/network-policy-api/pkg/client/clientset/versioned/fake"
)

// administered is a state with two admin policies and a baseline.
func administered(t *testing.T, priority int32, actions ...policyv1alpha1.AdminNetworkPolicyRuleAction) State {
	t.Helper()
	s := planned(t, 12)
	for i, name := range []string{"first", "second"} {
		spec := adminSpec{Priority: priority + int32(i), Subject: everyPod}
		for _, a := range actions {
			spec.Ingress = append(spec.Ingress, adminIngress(a, "a"))
		}
		s.AdminPolicies[name] = AdminPolicy{name, spec}
	}
	s.Baseline[BaselineName] = BaselinePolicy{BaselineName, policyv1alpha1.BaselineAdminNetworkPolicySpec{Subject: everyPod, Ingress: []policyv1alpha1.BaselineAdminNetworkPolicyIngressRule{
		{Action: policyv1alpha1.BaselineAdminNetworkPolicyRuleAction(actions[0]), From: adminIngress("", "").From},
	}}}
	return s
}

func TestAdminPoliciesReachTheAPI(t *testing.T) {
	admin := adminfake.NewSimpleClientset()
	r := newRig(t, Config{Admin: admin.PolicyV1alpha1()})
	for _, want := range []State{administered(t, 1, "Deny"), administered(t, 5, "Allow", "Pass"), planned(t, 12), administered(t, 2, "Deny")} {
		if err := r.Apply(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		r.check(t)
		for name, p := range want.AdminPolicies {
			got, err := admin.PolicyV1alpha1().AdminNetworkPolicies().Get(t.Context(), name, metav1.GetOptions{})
			if err != nil || !reflect.DeepEqual(got.Spec, p.Spec) {
				t.Errorf("%s: got %+v, %v", name, got, err)
			}
		}
		for name, p := range want.Baseline {
			got, err := admin.PolicyV1alpha1().BaselineAdminNetworkPolicies().Get(t.Context(), name, metav1.GetOptions{})
			if err != nil || !reflect.DeepEqual(got.Spec, p.Spec) {
				t.Errorf("%s: got %+v, %v", name, got, err)
			}
		}
	}
	if err := admin.PolicyV1alpha1().AdminNetworkPolicies().Delete(t.Context(), "first", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if differ, err := r.Verify(t.Context()); err != nil || !slices.Equal(differ, []string{"admin policy first is missing"}) {
		t.Errorf("Verify says %v, %v", differ, err)
	}
	if err := r.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.check(t)
	if s := r.State(); len(s.AdminPolicies)+len(s.Baseline) > 0 {
		t.Errorf("left in the model: %+v", s)
	}
}

// TestNoAdminPoliciesHere wants a cluster that does not know the kinds to refuse them, and to be left alone otherwise.
func TestNoAdminPoliciesHere(t *testing.T) {
	r := newRig(t, Config{})
	s := administered(t, 1, "Deny")
	if err := r.AddAdminPolicies(t.Context(), []AdminPolicy{s.AdminPolicies["first"]}); !errors.Is(err, errNoAdmin) {
		t.Errorf("got %v", err)
	}
	if err := r.AddBaseline(t.Context(), s.Baseline[BaselineName].Spec); !errors.Is(err, errNoAdmin) {
		t.Errorf("got %v", err)
	}
	r = newRig(t, Config{})
	if err := r.Clear(t.Context()); err != nil {
		t.Error(err)
	}
}
