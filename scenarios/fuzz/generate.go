package fuzz

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/nodefv/nodefv/workloads"
)

// Wishes say which operations a generator draws besides the usual ones.
type Wishes struct {
	Restarts bool `json:"restarts,omitempty"` // of the agent
	Admin    bool `json:"admin,omitempty"`    // AdminNetworkPolicies and the BaselineAdminNetworkPolicy
	Cluster  bool `json:"cluster,omitempty"`  // ClusterNetworkPolicies
	// Known draws also what is known to break the pinned agent (docs/findings.md), which every run would find again: local pods that come
	// back under a name whose interface has gone in the same batch, policies changed into rules of a port range among other ports,
	// policies changed so that they select other pods or are for other directions, cluster-wide policies with rules of both directions changed in more
	// than their rules, names of ports in AdminNetworkPolicies and the baseline, and namespaces whose new labels change both for whom a policy
	// is and whom it means.
	Known bool `json:"known,omitempty"`
}

// The sizes about which a generator keeps the cluster.
const (
	mostNodes      = 3
	mostNamespaces = 4
	mostPods       = 20
	mostPolicies   = 10
)

// Generator draws operations, each of which means something after those before. The same seed and wishes give the same
// operations, with the same names and addresses: nothing else has a say.
type Generator struct {
	rand   *rand.Rand
	model  *Model
	wishes Wishes

	nodes, namespaces, pods, policies, wide, plain, addresses, nodeAddresses int // how many were ever named

	retired []workloads.Key        // names of pods that went, oldest first
	free    [][]netip.Addr         // addresses of pods that went, oldest first
	gone    map[workloads.Key]bool // names whose interface went in this batch
	ahead   map[workloads.Key]Op   // pods whose veths came first
}

// NewGenerator returns a generator that begins with an empty cluster.
func NewGenerator(seed uint64, wishes Wishes) *Generator {
	return &Generator{
		rand: rand.New(rand.NewPCG(seed, 0x6e6f64656676)), model: NewModel(anyNode), wishes: wishes,
		gone: map[workloads.Key]bool{}, ahead: map[workloads.Key]Op{},
	}
}

// anyNode stands for the SUT's node: operations do not name it.
const anyNode = "local"

// Batch draws the next n operations, between which nothing is compared.
func (g *Generator) Batch(n int) []Op {
	clear(g.gone)
	ops := make([]Op, 0, n)
	for len(ops) < n {
		op, before := g.draw(), g.model.Clone()
		if g.tooSoon(op) || g.twofold(op) || g.model.Apply(op) == nil {
			continue
		}
		g.remember(op, before)
		ops = append(ops, op)
	}
	return ops
}

// tooSoon says whether the operation would bring back an interface's name in the batch in which it went.
func (g *Generator) tooSoon(op Op) bool {
	comes := op.Do == AddPod || op.Do == PlugPod || op.Do == MovePod
	return comes && op.Node == "" && g.gone[op.key()] && !g.wishes.Known
}

// twofold says whether the operation's labels of a namespace would change both for whom a policy is and whom a policy means.
func (g *Generator) twofold(op Op) bool {
	before, there := g.model.Namespaces().Lookup(workloads.Key{Name: op.Namespace})
	if op.Do != RelabelNamespace || !there || g.wishes.Known {
		return false
	}
	return slices.ContainsFunc(g.model.Rulesets(), func(r *workloads.Ruleset) bool {
		is, means := r.InNamespace(before)
		will, meant := r.InNamespace(workloads.Namespace{Name: op.Namespace, Labels: op.Labels})
		return is != will && !slices.Equal(means, meant)
	})
}

// remember keeps what later operations may use again.
func (g *Generator) remember(op Op, before *Model) {
	for _, k := range sortedKeys(before.veths) {
		if _, stays := g.model.veths[k]; !stays {
			g.gone[k] = true
		}
	}
	for _, k := range before.Pods().Keys() {
		p := before.Pods().Get(k)
		now, stays := g.model.Pods().Lookup(k)
		if !stays {
			g.retired = append(g.retired, k)
		}
		if len(p.IPs) > 0 && len(now.IPs) == 0 {
			g.free = append(g.free, p.IPs)
		}
	}
	switch {
	case op.Do == PlugPod && g.model.ahead(op.key()):
		g.ahead[op.key()] = op
	case op.Do == AddPod:
		delete(g.ahead, op.key())
	}
}

// choice is one verb with its weight and what draws its operation.
type choice struct {
	weight int
	draw   func() Op
}

// draw draws an operation, which may mean nothing in this state.
func (g *Generator) draw() Op {
	choices := slices.Concat(g.nodeChoices(), g.namespaceChoices(), g.podChoices(), g.policyChoices(), g.adminChoices(), g.baselineChoices(), g.clusterChoices())
	for _, d := range workloads.Kinds() {
		if _, own := familyOf(d.Kind()); !own {
			choices = append(choices, g.plainChoices(d)...)
		}
	}
	if g.wishes.Restarts {
		choices = append(choices, choice{1, func() Op { return Op{Do: RestartAgent} }})
	}
	sum := 0
	for _, c := range choices {
		sum += c.weight
	}
	n := g.rand.IntN(sum)
	for _, c := range choices {
		if n -= c.weight; n < 0 {
			return c.draw()
		}
	}
	return Op{}
}

func (g *Generator) nodeChoices() []choice {
	return []choice{{3 * room(g.model.Nodes().Len()-1, mostNodes), g.addNode}, {1, g.removeNode}}
}

func (g *Generator) namespaceChoices() []choice {
	return []choice{{6 * room(g.model.Namespaces().Len(), mostNamespaces), g.addNamespace}, {1, g.removeNamespace}, {4, g.relabelNamespace}}
}

func (g *Generator) podChoices() []choice {
	bare := g.podsThat(func(p workloads.Pod) bool { return p.Bare })
	plugBare := func() Op { return Op{Do: PlugPod, Namespace: bare[0].Namespace, Name: bare[0].Name} }
	return []choice{
		{2 * room(g.model.Pods().Len(), mostPods), g.addPod}, {2, g.plugAhead}, {2 * g.model.Ahead.Len(), g.addAhead}, {4 * len(bare), plugBare},
		{8, g.removePod}, {10, g.relabelPod}, {2, g.clearPod}, {5, g.movePod},
	}
}

func (g *Generator) policyChoices() []choice {
	return []choice{{2 * room(g.model.Policies().Len(), mostPolicies), g.addPolicy}, {8, g.changePolicy}, {6, g.removePolicy}}
}

// room is how many more there may be.
func room(now, most int) int { return max(0, most-now) }

func (g *Generator) podsThat(is func(workloads.Pod) bool) []workloads.Pod {
	var pods []workloads.Pod
	for _, p := range g.model.Pods().All() {
		if is(p) {
			pods = append(pods, p)
		}
	}
	return pods
}

func (g *Generator) chance(percent int) bool { return g.rand.IntN(100) < percent }

// one draws an element; of none it returns the zero value.
func one[T any](g *Generator, of []T) (drawn T) {
	if len(of) == 0 {
		return drawn
	}
	return of[g.rand.IntN(len(of))]
}

// addNode sometimes brings one back, at another address.
func (g *Generator) addNode() Op {
	number := g.again(g.nodes)
	g.nodes = max(g.nodes, number)
	g.nodeAddresses++
	return Op{Do: AddNode, Name: fmt.Sprintf("node-%d", number), IPs: []netip.Addr{workloads.NodeAddress(g.nodeAddresses)}}
}

// again is the number after those that were, or one of these.
func (g *Generator) again(were int) int {
	if were > 0 && g.chance(30) {
		return 1 + g.rand.IntN(were)
	}
	return were + 1
}

func (g *Generator) remoteNode() string {
	var names []string
	for k := range g.model.Nodes().All() {
		if k.Name != anyNode {
			names = append(names, k.Name)
		}
	}
	return one(g, names)
}

func (g *Generator) removeNode() Op { return Op{Do: RemoveNode, Name: g.remoteNode()} }

func (g *Generator) namespace() string {
	return one(g, g.model.Namespaces().Keys()).Name
}

// addNamespace sometimes brings one back.
func (g *Generator) addNamespace() Op {
	number := g.again(g.namespaces)
	g.namespaces = max(g.namespaces, number)
	return Op{Do: AddNamespace, Namespace: fmt.Sprintf("ns-%d", number), Labels: g.labels(namespaceLabels)}
}

func (g *Generator) removeNamespace() Op { return Op{Do: RemoveNamespace, Namespace: g.namespace()} }

func (g *Generator) relabelNamespace() Op {
	return Op{Do: RelabelNamespace, Namespace: g.namespace(), Labels: g.labels(namespaceLabels)}
}

// vocabulary are labels with the values that are drawn for each; the first key is nearly always there.
type vocabulary []struct {
	key    string
	values []string
}

var (
	podLabels       = vocabulary{{"role", []string{"web", "api", "db"}}, {"shard", []string{"0", "1"}}, {"canary", []string{"", "yes"}}}
	namespaceLabels = vocabulary{{"team", []string{"a", "b"}}, {"zone", []string{"x", "y", "z"}}}
)

func (g *Generator) labels(of vocabulary) map[string]string {
	labels := map[string]string{}
	for i, word := range of {
		if g.chance([]int{90, 40}[min(i, 1)]) {
			labels[word.key] = one(g, word.values)
		}
	}
	if len(labels) == 0 {
		return nil
	}
	return labels
}
