package felix

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/kernel"
)

// wantedSet is a set that some rule needs. Rules with the same selectors share one.
type wantedSet struct {
	title   string // names the rule that needs it first
	members map[kernel.Family]map[string]bool
	digests map[kernel.Family]digest
}

// wantedRules renders the chain of a policy in one direction for one family. A set is named by its key in sets, where new ones
// are added.
func wantedRules(x *workloads.Index, p *workloads.Ruleset, w felixWay, f kernel.Family, sets map[string]*wantedSet) []kernel.Rule {
	var all []kernel.Rule
	for i, r := range converted(p, w.kind) {
		peers := r.Peers
		if len(peers) == 0 {
			peers = []workloads.Peer{{}}
		}
		byProtocol := felixPorts(r.Ports)
		for _, proto := range slices.Sorted(maps.Keys(byProtocol)) {
			for j, peer := range peers {
				c := clause{proto: proto, portList: byProtocol[proto], way: w, action: r.Action}
				if !c.addPeer(peer, f) {
					continue // of the other family
				}
				where := fmt.Sprintf("%s rule %d", policyTitle(p, w), i+1)
				if peer.Namespace != "" || peer.Namespaces != nil {
					key := peerWords(p.Kind, peer)
					c.peerSet = key
					if sets[key] == nil && c.looksUpPeers() {
						sets[key] = newSet(fmt.Sprintf("%s peer %d (%s)", where, j+1, key), x.Selected(peer))
					}
				}
				for _, port := range c.named {
					key := c.namedKey(port)
					if sets[key] == nil {
						sets[key] = newPortSet(fmt.Sprintf("%s port %s", where, port), c.portOwners(x, peer), proto, port)
					}
				}
				all = append(all, c.render()...)
			}
		}
	}
	for len(all) > 0 && all[len(all)-1].Do == kernel.Return {
		all = all[:len(all)-1]
	}
	if len(all) == 0 {
		all = []kernel.Rule{{Do: kernel.Continue}} // carries the chain's comment
	}
	return all
}

func newSet(title string, pods []workloads.Pod) *wantedSet {
	s := emptySet(title)
	for _, p := range pods {
		for _, ip := range p.IPs {
			s.add(ip, ip.String())
		}
	}
	return s
}

// newPortSet returns the set of the addresses and ports that a named port means among those pods; without a protocol, by each.
func newPortSet(title string, pods []workloads.Pod, proto, port string) *wantedSet {
	s := emptySet(title)
	for _, p := range pods {
		for _, named := range p.Ports {
			by := strings.ToLower(string(named.Protocol))
			if named.Name != port || proto != "" && by != proto {
				continue
			}
			for _, ip := range p.IPs {
				s.add(ip, fmt.Sprintf("%s %s %d", ip, by, named.Port))
			}
		}
	}
	return s
}

func emptySet(title string) *wantedSet {
	return &wantedSet{title: title, members: map[kernel.Family]map[string]bool{kernel.IPv4: {}, kernel.IPv6: {}}, digests: map[kernel.Family]digest{}}
}

func (s *wantedSet) add(ip netip.Addr, member string) {
	f := kernel.IPv4
	if ip.Is6() {
		f = kernel.IPv6
	}
	if !s.members[f][member] {
		s.members[f][member] = true
		s.digests[f] = s.digests[f].with(member)
	}
}

// peerWords says which pods a peer means. Peers with the same words share a set: one that a cluster-wide policy means by their namespaces alone
// has a set of its own, though by NetworkPolicies or by their labels, too, the same pods may be meant.
func peerWords(kind workloads.Kind, p workloads.Peer) string {
	in := "namespace " + p.Namespace
	if p.Namespaces != nil {
		in = "namespaces " + selectorWords(p.Namespaces)
	}
	if kind != workloads.NetworkKind && p.Pods == nil {
		return in + " as a whole"
	}
	return "pods " + selectorWords(p.Pods) + " in " + in
}

func selectorWords(l *metav1.LabelSelector) string {
	if l == nil || len(l.MatchLabels)+len(l.MatchExpressions) == 0 {
		return "all"
	}
	return metav1.FormatLabelSelector(l)
}

// clause is one of Felix's rules: one protocol, one peer.
type clause struct {
	portList
	proto   string
	peerSet string   // key of a set
	blocks  []string // the peer must be in one of these prefixes, if there are some
	except  []string
	way     felixWay
	action  workloads.Action
}

// addPeer reports whether the peer can be of that family.
func (c *clause) addPeer(p workloads.Peer, f kernel.Family) bool {
	c.blocks, c.except = ofFamily(p.Networks, f), ofFamily(p.Except, f)
	return len(p.Networks) == 0 || len(c.blocks) > 0
}

// ofFamily writes the prefixes of one family as the kernel does.
func ofFamily(prefixes []netip.Prefix, f kernel.Family) []string {
	var all []string
	for _, p := range prefixes {
		switch {
		case !p.IsValid() || p.Addr().Is6() != (f == kernel.IPv6):
		case p.IsSingleIP():
			all = append(all, p.Addr().String())
		default:
			all = append(all, p.String())
		}
	}
	return all
}

// portOwners returns the pods whose ports a named port of the clause may mean: of ingress, every pod of the cluster's.
func (c *clause) portOwners(x *workloads.Index, peer workloads.Peer) []workloads.Pod {
	if c.way.kind == networkingv1.PolicyTypeEgress && c.peerSet != "" {
		return x.Selected(peer)
	}
	return x.Pods()
}

// namedKey is equal for named ports that share a set: of egress to pods, the set holds the peers' ports alone.
func (c *clause) namedKey(port string) string {
	key := "port " + c.proto + " " + port
	if c.way.kind == networkingv1.PolicyTypeEgress && c.peerSet != "" {
		key += " of " + c.peerSet
	}
	return key
}

func (c *clause) namedMatch(port string) kernel.SetMatch {
	return kernel.SetMatch{Set: c.namedKey(port), By: "to port"}
}

// felixActions are the marks and verdicts of actions.
var felixActions = map[workloads.Action]struct {
	mark uint32
	do   kernel.Verdict
}{
	workloads.Allow: {felixAccepted, kernel.Return},
	workloads.Deny:  {felixDenied, kernel.Drop},
	workloads.Pass:  {felixPassed, kernel.Return},
}

// looksUpPeers says whether the clause needs a set of its peers. Egress to named ports alone does not: the ports' set is of the peers.
func (c *clause) looksUpPeers() bool {
	return c.peerSet != "" && (c.way.kind == networkingv1.PolicyTypeIngress || len(c.named) == 0 || len(c.numbers) > 0)
}

// render follows Felix: what one rule can't say is said by blocks of rules before it, which keep their result in a mark.
func (c *clause) render() []kernel.Rule {
	action := felixActions[c.action]
	last := kernel.Rule{Do: kernel.SetMark, Mark: kernel.Mark{Set: action.mark}}
	all, blocks := c.renderBlocks()
	if c.proto != "" {
		last.Where = append(last.Where, "proto "+c.proto)
	}
	if len(c.blocks) == 1 {
		last.Where = append(last.Where, c.within(c.blocks[0])...)
	}
	if c.looksUpPeers() {
		last.Sets = append(last.Sets, kernel.SetMatch{Set: c.peerSet, By: c.way.by})
	}
	switch splits := c.split(); {
	case len(splits)+len(c.named) > 1:
	case len(splits) == 1:
		last.Where = append(last.Where, "to port "+splits[0])
	case len(c.named) == 1:
		last.Sets = append(last.Sets, c.namedMatch(c.named[0]))
	}
	if blocks {
		last.Where = append(last.Where, fmt.Sprintf("mark %#x/%#x", felixBlocks, felixBlocks))
	}
	slices.Sort(last.Where)
	return append(all, last, kernel.Rule{Where: []string{fmt.Sprintf("mark %#x/%#x", action.mark, action.mark)}, Do: action.do})
}

// within is the condition that the peer is in a prefix; the kernel does not show one that holds everything.
func (c *clause) within(block string) []string {
	if block == "0.0.0.0/0" || block == "::/0" {
		return nil
	}
	return []string{c.way.by + " " + block}
}

// renderBlocks renders what must stand before the rule itself: alternatives of ports, then of prefixes, then exceptions. The first of
// the alternatives writes its result at once, the second clears it if none of its own matched.
func (c *clause) renderBlocks() (rules []kernel.Rule, blocks bool) {
	begin := func(m kernel.Mark) {
		if !blocks {
			rules, blocks = append(rules, kernel.Rule{Do: kernel.SetMark, Mark: m}), true
		}
	}
	none := kernel.Mark{Clear: felixBlocks | felixThisBlock}
	result := kernel.Mark{Set: felixBlocks}
	if splits := c.split(); len(splits)+len(c.named) > 1 {
		begin(none)
		for _, s := range splits {
			rules = append(rules, kernel.Rule{Where: []string{"proto " + c.proto, "to port " + s}, Do: kernel.SetMark, Mark: result})
		}
		for _, port := range c.named {
			rules = append(rules, kernel.Rule{Sets: []kernel.SetMatch{c.namedMatch(port)}, Do: kernel.SetMark, Mark: result})
		}
		result.Set = felixThisBlock
	}
	if len(c.blocks) > 1 {
		begin(none)
		for _, b := range c.blocks {
			rules = append(rules, kernel.Rule{Where: c.within(b), Do: kernel.SetMark, Mark: result})
		}
		if result.Set == felixThisBlock {
			rules = append(rules, kernel.Rule{Where: []string{fmt.Sprintf("mark 0x0/%#x", felixThisBlock)}, Do: kernel.SetMark, Mark: kernel.Mark{Clear: felixBlocks}})
		}
	}
	if len(c.except) > 0 {
		begin(kernel.Mark{Clear: felixThisBlock, Set: felixBlocks})
		for _, e := range c.except {
			rules = append(rules, kernel.Rule{Where: c.within(e), Do: kernel.SetMark, Mark: kernel.Mark{Clear: felixBlocks}})
		}
	}
	return rules, blocks
}

var (
	accepted  = fmt.Sprintf("mark %#x/%#x", felixAccepted, felixAccepted)
	notPassed = fmt.Sprintf("mark 0x0/%#x", felixPassed)
	undecided = fmt.Sprintf("mark 0x0/%#x", felixAccepted|felixPassed)
)
