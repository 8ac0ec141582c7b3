package workloads

import (
	"context"
	"math/rand/v2"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	adminclient "sigs.k8s.io/network-policy-api/pkg/client/clientset/versioned"
)

// Descriptor says all that is to be known of one kind of objects by whatever goes over the kinds: the Fleet, diagnostics, rights, the fuzzer.
type Descriptor interface {
	Kind() Kind
	// Word is what one is called in reports and errors.
	Word() string
	// Feature is what a target is to have for the kind to be of use to it, where clusters may lack the kind; empty: each cluster has it.
	Feature() Feature
	// Namespaced says whether such objects are in namespaces.
	Namespaced() bool
	// Rights are what is needed to make, change, remove and list such objects.
	Rights() []rbacv1.PolicyRule
	// List asks the API for all such objects, whoever made them.
	List(context.Context, Clients, metav1.ListOptions) (runtime.Object, error)

	// Decode reads an object from its JSON.
	Decode([]byte) (Object, error)
	// Draw draws an object of that name; nil: what is drawn of such objects depends on others.
	Draw(*rand.Rand, Key) Object

	create(context.Context, *Fleet, []Object) error
	change(context.Context, *Fleet, []Object) error
	delete(context.Context, *Fleet, []Key) error
	listed(context.Context, *Fleet) ([]Key, error) // those that fleets made
	remnants(*Fleet) []Key                         // whose objects may be gone, though there is something to remove
	spared(State, Key) bool                        // not for a fleet to make and remove
	same(was, is Object) bool                      // in what can't be changed in place
	equal(was, is Object) bool                     // in the rest
}

// kinds are all kinds of objects, in the order in which they come: what is needed first stands first. They go in the opposite order.
var kinds = []Descriptor{
	nodes,
	namespaceKind{namespaces},
	baselinePolicies,
	adminPolicies,
	clusterPolicies,
	policies,
	podKind{pods},
	services,
	endpointSlices,
	secrets,
	ingresses,
	httpProxies,
	gateways,
	httpRoutes,
}

// Kinds returns the descriptors of all kinds, in the order in which their objects are made.
func Kinds() []Descriptor { return slices.Clone(kinds) }

// Find returns the descriptor of a kind; nil if there is none.
func Find(k Kind) Descriptor {
	for _, d := range kinds {
		if d.Kind() == k {
			return d
		}
	}
	return nil
}

// Clients are what objects are written by.
type Clients struct {
	Core    kubernetes.Interface
	Admin   adminclient.Interface // nil: the cluster has no cluster-wide policies
	Dynamic dynamic.Interface     // of kinds of which we have no types; nil: the cluster has none of them
	// Features are those of the target: kinds that are of use to others alone are not looked at, as if the cluster did not know them. nil: all.
	Features []Feature
}

// use reports whether kinds of a feature are looked at.
func (c Clients) use(f Feature) bool {
	return f == "" || c.Features == nil || slices.Contains(c.Features, f)
}

// Served says which kinds the cluster knows, of those that clusters may lack.
func Served(ctx context.Context, c Clients) (map[Kind]bool, error) {
	served := map[Kind]bool{}
	for _, d := range kinds {
		if d.Feature() == "" {
			continue
		}
		err := attempt(ctx, "list", string(d.Kind()), never, func(ctx context.Context) error {
			_, err := d.List(ctx, c, metav1.ListOptions{Limit: 1})
			return err
		})
		if err != nil && !lacking(err) {
			return nil, err
		}
		served[d.Kind()] = err == nil
	}
	return served, nil
}
