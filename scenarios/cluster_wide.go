package scenarios

import (
	"context"
	"slices"

	policyv1alpha1 "sigs.k8s.io/network-policy-api/apis/v1alpha1"
	policyv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// clusterWide is an API of cluster-wide policies. Scenarios say policies in the words of the newest, which has all that the older one has;
// the policy of its Baseline tier that the older one can have as well is called workloads.BaselineName.
type clusterWide struct {
	feature workloads.Feature // that a target must have
	word    string            // begins the names of scenarios, and is a label
	title   string            // of the policies
	lowest  string            // of the scenario of its baseline
	tiers   []policyv1alpha2.Tier
	add     func(context.Context, *workloads.Fleet, ...workloads.ClusterPolicy) error
	change  func(context.Context, *workloads.Fleet, ...workloads.ClusterPolicy) error
	remove  func(context.Context, *workloads.Fleet, ...string) error
}

// clusterWides are the APIs of which a target may have one.
var clusterWides = []clusterWide{{
	feature: workloads.AdminPolicies, word: "admin", title: "admin policies", lowest: "baseline",
	tiers: []policyv1alpha2.Tier{policyv1alpha2.AdminTier}, // but for the baseline
	add: func(ctx context.Context, f *workloads.Fleet, policies ...workloads.ClusterPolicy) error {
		return older(ctx, policies, f.AddAdminPolicies, f.AddBaseline)
	},
	change: func(ctx context.Context, f *workloads.Fleet, policies ...workloads.ClusterPolicy) error {
		return older(ctx, policies, f.ChangeAdminPolicies, f.ChangeBaseline)
	},
	remove: func(ctx context.Context, f *workloads.Fleet, names ...string) error {
		admins := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == workloads.BaselineName })
		if len(admins) < len(names) {
			if err := f.RemoveBaseline(ctx); err != nil {
				return err
			}
		}
		return f.RemoveAdminPolicies(ctx, admins)
	},
}, {
	feature: workloads.ClusterPolicies, word: "cluster", title: "cluster policies", lowest: "cluster baseline",
	tiers: []policyv1alpha2.Tier{policyv1alpha2.AdminTier, policyv1alpha2.AdminTier, policyv1alpha2.BaselineTier},
	add: func(ctx context.Context, f *workloads.Fleet, policies ...workloads.ClusterPolicy) error {
		return f.AddClusterPolicies(ctx, policies)
	},
	change: func(ctx context.Context, f *workloads.Fleet, policies ...workloads.ClusterPolicy) error {
		return f.ChangeClusterPolicies(ctx, policies)
	},
	remove: func(ctx context.Context, f *workloads.Fleet, names ...string) error {
		return f.RemoveClusterPolicies(ctx, names)
	},
}}

// older gives policies to those who take them in the words of the older API.
func older(ctx context.Context, policies []workloads.ClusterPolicy, admin func(context.Context, []workloads.AdminPolicy) error,
	baseline func(context.Context, policyv1alpha1.BaselineAdminNetworkPolicySpec) error) error {
	var admins []workloads.AdminPolicy
	for _, p := range policies {
		if p.Name == workloads.BaselineName {
			if err := baseline(ctx, workloads.AsBaseline(p.Spec)); err != nil {
				return err
			}
			continue
		}
		admins = append(admins, workloads.AdminPolicy{Name: p.Name, Spec: workloads.AsAdmin(p.Spec)})
	}
	return admin(ctx, admins)
}

// forEachClusterWide adds a scenario to the library for each API of cluster-wide policies.
func forEachClusterWide(build func(k clusterWide, p Params) engine.Scenario) bool {
	from := source(1)
	for _, k := range clusterWides {
		registerFrom(from, func(p Params) engine.Scenario {
			sc := build(k, p)
			sc.Labels, sc.Needs = append(sc.Labels, Policy, engine.Label(k.word)), append(sc.Needs, k.feature)
			return sc
		})
	}
	return true
}

// The words of a cluster-wide policy.
type (
	wideSpec    = policyv1alpha2.ClusterNetworkPolicySpec
	wideSubject = policyv1alpha2.ClusterNetworkPolicySubject
	wideAction  = policyv1alpha2.ClusterNetworkPolicyRuleAction
	wideIn      = policyv1alpha2.ClusterNetworkPolicyIngressRule
	widePort    = policyv1alpha2.ClusterNetworkPolicyProtocol
)
