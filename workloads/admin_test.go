package workloads

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	k8stesting "k8s.io/client-go/testing"
	policyv1alpha1 "sigs.k8s.io/network-policy-api/apis/v1alpha1"
	policyv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"
	adminfake "sigs.k8s.io/network-policy-api/pkg/client/clientset/versioned/fake"
)

// administered is a state with two admin policies, a baseline, and a cluster policy of each tier.
func administered(t *testing.T, priority int32, actions ...policyv1alpha1.AdminNetworkPolicyRuleAction) State {
	t.Helper()
	s := planned(t, 12)
	for i, name := range []string{"first", "second"} {
		spec := adminSpec{Priority: priority + int32(i), Subject: everyPod}
		for _, a := range actions {
			spec.Ingress = append(spec.Ingress, adminIngress(a, "a"))
		}
		s.Put(AdminPolicy{name, spec})
	}
	s.Put(BaselinePolicy{BaselineName, policyv1alpha1.BaselineAdminNetworkPolicySpec{Subject: everyPod, Ingress: []policyv1alpha1.BaselineAdminNetworkPolicyIngressRule{
		{Action: policyv1alpha1.BaselineAdminNetworkPolicyRuleAction(actions[0]), From: adminIngress("", "").From},
	}}})
	for i, tier := range []policyv1alpha2.Tier{policyv1alpha2.AdminTier, policyv1alpha2.BaselineTier} {
		spec := policyv1alpha2.ClusterNetworkPolicySpec{Tier: tier, Priority: priority + int32(i), Subject: policyv1alpha2.ClusterNetworkPolicySubject{Namespaces: everything}}
		for _, a := range actions {
			spec.Ingress = append(spec.Ingress, clusterIngress(policyv1alpha2.ClusterNetworkPolicyRuleAction(a), "a"))
		}
		s.Put(ClusterPolicy{string(tier), spec})
	}
	return s
}

func TestAdminPoliciesReachTheAPI(t *testing.T) {
	admin := adminfake.NewSimpleClientset()
	r := newRig(t, Config{Admin: admin})
	for _, want := range []State{administered(t, 1, "Deny"), administered(t, 5, "Allow", "Pass"), planned(t, 12), administered(t, 2, "Deny")} {
		if err := r.Apply(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		r.check(t)
		for name, p := range want.AdminPolicies().All() {
			got, err := admin.PolicyV1alpha1().AdminNetworkPolicies().Get(t.Context(), name.Name, metav1.GetOptions{})
			if err != nil || !reflect.DeepEqual(got.Spec, p.Spec) {
				t.Errorf("%s: got %+v, %v", name, got, err)
			}
		}
		for name, p := range want.Baseline().All() {
			got, err := admin.PolicyV1alpha1().BaselineAdminNetworkPolicies().Get(t.Context(), name.Name, metav1.GetOptions{})
			if err != nil || !reflect.DeepEqual(got.Spec, p.Spec) {
				t.Errorf("%s: got %+v, %v", name, got, err)
			}
		}
		for name, p := range want.ClusterPolicies().All() {
			got, err := admin.PolicyV1alpha2().ClusterNetworkPolicies().Get(t.Context(), name.Name, metav1.GetOptions{})
			if err != nil || !reflect.DeepEqual(got.Spec, p.Spec) {
				t.Errorf("%s: got %+v, %v", name, got, err)
			}
		}
	}
	if err := admin.PolicyV1alpha1().AdminNetworkPolicies().Delete(t.Context(), "first", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := admin.PolicyV1alpha2().ClusterNetworkPolicies().Delete(t.Context(), "Admin", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if differ, err := r.Verify(t.Context()); err != nil || !slices.Equal(differ, []string{"admin policy first is missing", "cluster policy Admin is missing"}) {
		t.Errorf("Verify says %v, %v", differ, err)
	}
	if err := r.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.check(t)
	if s := r.State(); s.AdminPolicies().Len()+s.Baseline().Len()+s.ClusterPolicies().Len() > 0 {
		t.Errorf("left in the model: %+v", s)
	}
}

// TestNoAdminPoliciesHere wants a cluster that does not know the kinds to refuse them, and to be left alone otherwise.
func TestNoAdminPoliciesHere(t *testing.T) {
	r := newRig(t, Config{})
	s := administered(t, 1, "Deny")
	if err := r.AddAdminPolicies(t.Context(), []AdminPolicy{s.AdminPolicies().Named("first")}); !errors.Is(err, errUnknown) {
		t.Errorf("got %v", err)
	}
	if err := r.AddBaseline(t.Context(), s.Baseline().Named(BaselineName).Spec); !errors.Is(err, errUnknown) {
		t.Errorf("got %v", err)
	}
	if err := r.AddClusterPolicies(t.Context(), []ClusterPolicy{s.ClusterPolicies().Named("Admin")}); !errors.Is(err, errUnknown) {
		t.Errorf("got %v", err)
	}
	r = newRig(t, Config{})
	if err := r.Clear(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestServedKinds has a cluster that knows the newer kind alone: the older ones are not served, and no error where they are listed.
func TestServedKinds(t *testing.T) {
	admin := adminfake.NewSimpleClientset()
	admin.PrependReactor("list", "*", func(a k8stesting.Action) (bool, runtime.Object, error) {
		resource := a.GetResource()
		return resource.Version == "v1alpha1", nil, apierrors.NewNotFound(resource.GroupResource(), "")
	})
	looked := []Feature{AdminPolicies, ClusterPolicies}
	served, err := Served(t.Context(), Clients{Admin: admin, Features: looked})
	if want := map[Kind]bool{ClusterKind: true}; err != nil || !maps.Equal(onlyTrue(served), want) {
		t.Errorf("got %v, %v", served, err)
	}
	served, err = Served(t.Context(), Clients{Features: looked})
	if err != nil || len(served) == 0 || len(onlyTrue(served)) > 0 {
		t.Errorf("without a client: %v, %v", served, err)
	}
	r := newRig(t, Config{Admin: admin})
	if err := r.AddClusterPolicies(t.Context(), []ClusterPolicy{{Name: "one"}}); err != nil {
		t.Fatal(err)
	}
	if differ, err := r.Verify(t.Context()); err != nil || len(differ) > 0 {
		t.Errorf("got %v, %v", differ, err)
	}
}

// onlyTrue leaves out the kinds that are not served.
func onlyTrue(served map[Kind]bool) map[Kind]bool {
	all := maps.Clone(served)
	maps.DeleteFunc(all, func(_ Kind, is bool) bool { return !is })
	return all
}
