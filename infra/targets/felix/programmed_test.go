package felix

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/kernel"
)

// The dumps in testdata are of a real Felix v3.31.0, with this state on its node.
func recordedState(t testing.TB) workloads.State {
	t.Helper()
	plan, err := workloads.NewPlan(7, workloads.Topology{RemoteNodes: 1, Namespaces: 2, PodsPerNamespace: 6, Local: 10, DualStack: true}, "fv-local")
	if err != nil {
		t.Fatal(err)
	}
	s := asRecorded(plan)
	data, err := os.ReadFile("testdata/policies.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var list networkingv1.NetworkPolicyList
	if err := yaml.UnmarshalStrict(data, &list); err != nil {
		t.Fatal(err)
	}
	for _, p := range list.Items {
		k := workloads.Key{Namespace: p.Namespace, Name: p.Name}
		s.Put(workloads.Policy{Key: k, Spec: p.Spec})
	}
	return s
}

// asRecorded is a plan's state with the names that its pods and namespaces have in the dumps.
func asRecorded(p *workloads.Plan) workloads.State {
	s := p.State()
	pods, number := p.Ring(s), 0
	for i, ns := range s.Namespaces().List() {
		s.Remove(workloads.NamespaceKind.Named(ns.Name))
		for _, pod := range pods {
			if pod.Namespace == ns.Name {
				s.Remove(workloads.PodKind.Part(pod.Key))
				pod.Key = workloads.Key{Namespace: fmt.Sprintf("fv-7-ns-%d", i), Name: fmt.Sprintf("pod-%07d", number)}
				s.Put(pod)
				number++
			}
		}
		ns.Name = fmt.Sprintf("fv-7-ns-%d", i)
		s.Put(ns)
	}
	return s
}

var dataPlanes = slices.Sorted(maps.Keys(felixDataPlanes))

func recordedKernel(t testing.TB, f felix, s workloads.State) *kernel.State {
	t.Helper()
	return readKernel(t, f, s, filepath.Join("testdata", f.DataPlane))
}

// readKernel reads a data plane's dumps from a folder, and gives the pods' interfaces the settings that they must have.
func readKernel(t testing.TB, f felix, s workloads.State, folder string) *kernel.State {
	t.Helper()
	k := kernel.New()
	open := func(name string) *os.File {
		file, err := os.Open(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = file.Close() })
		return file
	}
	var err error
	if f.Backend() == kernel.NFTables {
		err = k.ReadNFTables(open("ruleset.json"))
	} else {
		for _, read := range []func() error{
			func() error { return k.ReadIPTables(kernel.IPv4, open("rules4")) },
			func() error { return k.ReadIPTables(kernel.IPv6, open("rules6")) },
			func() error { return k.ReadIPSets(open("sets")) },
		} {
			if err == nil {
				err = read()
			}
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	k.Sysctls["ipv4.conf.default.rp_filter"] = "2"
	for _, p := range s.LocalPods() {
		settings := maps.Clone(felixSysctls)
		settings["ipv4.conf.*.rp_filter"] = "2"
		k.Interfaces[f.HostInterface(p.Namespace, p.Name)] = kernel.Interface{Up: true, Sysctls: settings}
	}
	return k
}

// differences are what a person would see.
func differences(want, got map[report.Fact]string) []string {
	var all []string
	for fact := range want {
		if got[fact] != want[fact] {
			all = append(all, fmt.Sprintf("%s: want %q, got %q", fact, want[fact], got[fact]))
		}
	}
	for fact := range got {
		if _, ok := want[fact]; !ok {
			all = append(all, fmt.Sprintf("%s: want nothing, got %q", fact, got[fact]))
		}
	}
	slices.Sort(all)
	return all
}

func TestFelixProgrammedWhatTheModelSays(t *testing.T) {
	for _, plane := range dataPlanes {
		t.Run(plane, func(t *testing.T) {
			f, s := felix{targets.Options{DataPlane: plane}}, recordedState(t)
			want, got := f.Programmed(s), f.Observed(s, recordedKernel(t, f, s))
			if len(want) < 500 {
				t.Errorf("only %d facts", len(want))
			}
			if d := differences(want, got); len(d) > 0 {
				t.Errorf("%d differences:\n%s", len(d), strings.Join(d, "\n"))
			}
		})
	}
}

// remove takes away the rules whose comment or text holds that, and says how many there were.
func remove(k *kernel.State, id kernel.ID, which string) int {
	c := k.Chains[id]
	before := len(c.Rules)
	c.Rules = slices.DeleteFunc(slices.Clone(c.Rules), func(r kernel.Rule) bool { return strings.Contains(r.Comment+" "+r.String(), which) })
	k.Chains[id] = c
	return before - len(c.Rules)
}

// TestEachFaultIsNamed breaks the recorded kernel in one way at a time: just that must differ, and be named.
func TestEachFaultIsNamed(t *testing.T) {
	const peer = "set of policy fv-7-ns-0/sctp ingress rule 1 peer 1 (pods role=api in namespace fv-7-ns-0) IPv4: "
	web := workloads.Key{Namespace: "fv-7-ns-0", Name: "pod-0000004"}
	for _, c := range []struct {
		name  string
		fault func(t *testing.T, f felix, k *kernel.State, s workloads.State)
		want  []string
	}{
		{"a member lacks", func(t *testing.T, f felix, k *kernel.State, _ workloads.State) {
			changeSet(t, k, f, []string{"10.128.0.2", "10.128.0.6"}, []string{"10.128.0.2"})
		}, []string{peer + `10.128.0.6: want "pod fv-7-ns-0/pod-0000005", got ""`}},
		{"a member is too many", func(t *testing.T, f felix, k *kernel.State, _ workloads.State) {
			changeSet(t, k, f, []string{"10.128.0.2", "10.128.0.6"}, []string{"10.128.0.2", "10.128.0.6", "10.99.0.1"})
		}, []string{peer + `10.99.0.1: want nothing, got "no pod's"`}},
		{"a rule of a policy lacks", func(t *testing.T, f felix, k *kernel.State, s workloads.State) {
			id := chainOf(t, f, s, k, "policy fv-7-ns-0/ports ingress IPv6")
			if remove(k, id, "to port 31,33") != 1 {
				t.Fatal("no such rule")
			}
		}, []string{`policy fv-7-ns-0/ports ingress IPv6: proto tcp, to port 31,33: mark +0x80000: want "1", got ""`}},
		{"a rule with a set lacks", func(t *testing.T, f felix, k *kernel.State, s workloads.State) {
			id := chainOf(t, f, s, k, "policy fv-7-ns-0/peers ingress IPv4")
			c := k.Chains[id]
			c.Rules = slices.Delete(slices.Clone(c.Rules), 4, 5) // from the pods of a namespace
			k.Chains[id] = c
		}, []string{`policy fv-7-ns-0/peers ingress IPv4: from @pods all in namespaces team=b: mark +0x10000: want "1", got ""`}},
		{"two rules stand in the wrong order", func(t *testing.T, f felix, k *kernel.State, s workloads.State) {
			id := chainOf(t, f, s, k, "pod "+web.String()+" ingress IPv4")
			c := k.Chains[id]
			c.Rules = slices.Clone(c.Rules)
			c.Rules[0], c.Rules[1] = c.Rules[1], c.Rules[0]
			k.Chains[id] = c
		}, []string{`pod fv-7-ns-0/pod-0000004 ingress IPv4 order: want "right", got "ct invalid: drop; ct established`}},
		{"a chain is empty", func(t *testing.T, f felix, k *kernel.State, s workloads.State) {
			k.Chains[chainOf(t, f, s, k, "profile of namespace fv-7-ns-1 ingress IPv4")] = kernel.Chain{}
		}, []string{`profile of namespace fv-7-ns-1 ingress IPv4: mark +0x10000: want "1", got ""`}},
		{"a chain lacks", func(t *testing.T, f felix, k *kernel.State, s workloads.State) {
			delete(k.Chains, chainOf(t, f, s, k, "profile of namespace fv-7-ns-1 ingress IPv4"))
		}, []string{`profile of namespace fv-7-ns-1 ingress IPv4 order: want "right", got ""`, `profile of namespace fv-7-ns-1 ingress IPv4: mark +0x10000: want "1", got ""`}},
		{"a chain is left over", func(t *testing.T, f felix, k *kernel.State, _ workloads.State) {
			k.Chains[f.id(kernel.IPv6, "filter", "cali-tw-cali0123456789a")] = kernel.Chain{}
		}, []string{`chain cali-tw-cali0123456789a of table filter IPv6: want nothing, got "left over"`}},
		{"a set is left over", func(t *testing.T, f felix, k *kernel.State, _ workloads.State) {
			id := kernel.ID{Family: kernel.IPv6, Name: "cali60s:gone"}
			if f.Backend() == kernel.NFTables {
				id = kernel.ID{Family: kernel.IPv6, Table: "calico", Name: "cali60s-gone"}
			}
			k.Sets[id] = kernel.Set{Members: []string{"fd00::1"}}
		}, []string{`want nothing, got "left over, with 1 members"`}},
		{"an interface is down", func(t *testing.T, f felix, k *kernel.State, _ workloads.State) {
			name := f.HostInterface(web.Namespace, web.Name)
			i := k.Interfaces[name]
			i.Up = false
			k.Interfaces[name] = i
		}, []string{`interface of pod fv-7-ns-0/pod-0000004: want "up", got "down"`}},
		{"a setting is wrong", func(t *testing.T, f felix, k *kernel.State, _ workloads.State) {
			k.Interfaces[f.HostInterface(web.Namespace, web.Name)].Sysctls["ipv4.conf.*.proxy_arp"] = "0"
		}, []string{`interface of pod fv-7-ns-0/pod-0000004: ipv4.conf.*.proxy_arp: want "1", got "0"`}},
		{"an interface is of no pod", func(t *testing.T, f felix, k *kernel.State, _ workloads.State) {
			k.Interfaces["cali0123456789a"] = kernel.Interface{Up: true}
		}, []string{`interface cali0123456789a: want nothing, got "of no pod"`}},
		{"an endpoint is not dispatched to", func(t *testing.T, f felix, k *kernel.State, _ workloads.State) {
			name := f.HostInterface(web.Namespace, web.Name)
			id := f.id(kernel.IPv4, "filter", "cali-to-wl-dispatch")
			if f.Backend() == kernel.NFTables {
				delete(k.Maps[id].Verdicts, name)
				return
			}
			for id := range k.Chains {
				if id.Family == kernel.IPv4 && strings.HasPrefix(id.Name, "cali-to-wl-dispatch") {
					remove(k, id, "goto cali-tw-"+name)
				}
			}
		}, []string{`dispatch to pod fv-7-ns-0/pod-0000004 IPv4: want "its chain", got ""`}},
		{"an endpoint is not dispatched to, either way", func(t *testing.T, f felix, k *kernel.State, _ workloads.State) {
			name := f.HostInterface(web.Namespace, web.Name)
			for id := range k.Maps {
				if id.Family == kernel.IPv4 {
					delete(k.Maps[id].Verdicts, name)
				}
			}
			for id := range k.Chains {
				if id.Family == kernel.IPv4 {
					remove(k, id, "goto cali-tw-"+name)
					remove(k, id, "goto cali-fw-"+name)
				}
			}
		}, []string{`dispatch from pod fv-7-ns-0/pod-0000004 IPv4: want "its chain", got ""`, `dispatch to pod fv-7-ns-0/pod-0000004 IPv4: want "its chain", got ""`}},
		{"an endpoint's rule leads nowhere", func(t *testing.T, f felix, k *kernel.State, _ workloads.State) {
			name := f.HostInterface(web.Namespace, web.Name)
			for id, m := range k.Maps {
				if verdict, ok := m.Verdicts[name]; ok && id.Family == kernel.IPv4 && strings.Contains(verdict, "cali-tw-") {
					m.Verdicts[name] = strings.ReplaceAll(verdict, "cali-tw-", "cali-no-")
				}
			}
			for id, c := range k.Chains {
				for i, r := range c.Rules {
					if id.Family == kernel.IPv4 && r.Chain == "cali-tw-"+name {
						c.Rules[i].Chain = "cali-no-" + name
					}
				}
			}
		}, []string{`dispatch to pod fv-7-ns-0/pod-0000004 IPv4: want "its chain", got "cali-no-`}},
		{"unknown interfaces pass", func(t *testing.T, f felix, k *kernel.State, _ workloads.State) {
			if remove(k, f.id(kernel.IPv4, "filter", "cali-from-wl-dispatch"), "Unknown interface") != 1 {
				t.Fatal("no such rule")
			}
		}, []string{`dispatch from an unknown interface IPv4: want "drop", got "pass on"`}},
	} {
		for _, plane := range dataPlanes {
			t.Run(c.name+" "+plane, func(t *testing.T) {
				f, s := felix{targets.Options{DataPlane: plane}}, recordedState(t)
				k := recordedKernel(t, f, s)
				c.fault(t, f, k, s)
				d := differences(f.Programmed(s), f.Observed(s, k))
				if len(d) != len(c.want) {
					t.Fatalf("%d differences:\n%s", len(d), strings.Join(d, "\n"))
				}
				for i := range d {
					if !strings.Contains(d[i], c.want[i]) {
						t.Errorf("got  %s\nwant %s", d[i], c.want[i])
					}
				}
			})
		}
	}
}

// chainOf finds the chain with that title where nothing is broken yet.
func chainOf(t *testing.T, f felix, s workloads.State, k *kernel.State, title string) kernel.ID {
	t.Helper()
	o := f.observe(s, k)
	for _, c := range o.want.chains {
		if id, ok := o.find(c); ok && c.String() == title {
			return id
		}
	}
	t.Fatalf("no chain is %q", title)
	return kernel.ID{}
}

// changeSet gives the set that holds exactly these members others.
func changeSet(t *testing.T, k *kernel.State, f felix, from, to []string) {
	t.Helper()
	for id, set := range k.Sets {
		if slices.Equal(slices.Sorted(slices.Values(set.Members)), from) {
			k.Sets[id] = kernel.Set{Members: to}
			return
		}
	}
	t.Fatal("no such set")
}

// TestNamesSayNothing gives every chain of pods, policies, groups and profiles another name.
func TestNamesSayNothing(t *testing.T) {
	for _, plane := range dataPlanes {
		f, s := felix{targets.Options{DataPlane: plane}}, recordedState(t)
		k := recordedKernel(t, f, s)
		renamed := regexp.MustCompile(`cali-(tw|fw|pi|po|gi|go|pri|pro)-.*`)
		sum := func(name string) string { return fmt.Sprintf("cali-%x", sha256.Sum256([]byte(name)))[:28] }
		chains := map[kernel.ID]kernel.Chain{}
		for id, c := range k.Chains {
			for i := range c.Rules {
				c.Rules[i].Chain = renamed.ReplaceAllStringFunc(c.Rules[i].Chain, sum)
			}
			id.Name = renamed.ReplaceAllStringFunc(id.Name, sum)
			chains[id] = c
		}
		for _, m := range k.Maps {
			for iface, verdict := range m.Verdicts {
				m.Verdicts[iface] = renamed.ReplaceAllStringFunc(verdict, sum)
			}
		}
		k.Chains = chains
		if d := differences(f.Programmed(s), f.Observed(s, k)); len(d) > 0 {
			t.Errorf("%s: %d differences, such as %s", plane, len(d), d[0])
		}
	}
}

// TestModelWithoutWhatIsThere checks the other direction: what the model does not hold is left over.
func TestModelWithoutWhatIsThere(t *testing.T) {
	for _, plane := range dataPlanes {
		f, s := felix{targets.Options{DataPlane: plane}}, recordedState(t)
		k := recordedKernel(t, f, s)
		s.Remove(workloads.NetworkKind.Part(workloads.Key{Namespace: "fv-7-ns-0", Name: "peers"}))
		sets, leads := 0, 0
		for _, d := range differences(f.Programmed(s), f.Observed(s, k)) {
			if strings.Contains(d, "left over") {
				sets++
			}
			if strings.Contains(d, "jump chain ") && strings.Contains(d, "want nothing") {
				leads++
			}
		}
		// Three sets that no other policy has, and the pods' rules that lead to it, for both families.
		if sets != 2*3 || leads < 2*2 {
			t.Errorf("%s: %d sets are left over, %d rules lead to a chain of no policy", plane, sets, leads)
		}
	}
}

// TestCounted compares with what Felix's own gauges said when the dumps were made.
func TestCounted(t *testing.T) {
	for _, plane := range dataPlanes {
		f := felix{targets.Options{DataPlane: plane}}
		s := recordedState(t)
		counted := f.Counted(s, recordedKernel(t, f, s))
		want := map[metrics.Gauge]float64{metrics.Chains: 240, metrics.Rules: 922, metrics.IPSets: 48, metrics.Selectors: 20, felixIndexedSelectors: 20}
		if plane == "nftables" {
			want[metrics.Chains] = 236
			delete(want, metrics.Rules)
		}
		maps.Copy(want, told(s))
		if !maps.Equal(counted, want) {
			t.Errorf("%s: %v", plane, counted)
		}
		for g := range counted {
			if f.Gauges()[g].Metric == "" {
				t.Errorf("%s: %s is counted and not read", plane, g)
			}
		}
	}
}

// BenchmarkObserved compares the kernel with the model: 10,000 pods, 100 of them local, in sets of ten policies.
func BenchmarkObserved(b *testing.B) {
	f, s, k := large(b)
	want := f.Programmed(s)
	b.ReportMetric(float64(len(want)), "facts")
	b.ResetTimer()
	for b.Loop() {
		if d := differences(f.Programmed(s), f.Observed(s, k)); len(d) > 0 {
			b.Fatalf("%d differences, such as %s", len(d), d[0])
		}
	}
}

// large makes a state and the kernel that a perfect Felix would leave.
func large(b *testing.B) (felix, workloads.State, *kernel.State) {
	b.Helper()
	f := felix{targets.Options{DataPlane: "iptables-nft"}}
	plan, err := workloads.NewPlan(1, workloads.Topology{RemoteNodes: 9, Namespaces: 100, PodsPerNamespace: 100, Local: 100}, "here")
	if err != nil {
		b.Fatal(err)
	}
	s := plan.State()
	for i, role := range []string{"", "web", "api", "db", "cache"} {
		var peer, self networkingv1.NetworkPolicyPeer
		peer.NamespaceSelector, peer.PodSelector = &metav1.LabelSelector{}, &metav1.LabelSelector{}
		if role != "" {
			peer.PodSelector.MatchLabels = map[string]string{"role": role}
		}
		self.PodSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "role", Operator: metav1.LabelSelectorOpNotIn, Values: []string{fmt.Sprint(i)}},
		}}
		for n := range 100 {
			key := workloads.Key{Namespace: fmt.Sprintf("fv-1-ns-%d", n), Name: fmt.Sprint("p", i)}
			s.Put(workloads.Policy{Key: key, Spec: networkingv1.NetworkPolicySpec{
				PodSelector: *self.PodSelector, Ingress: []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{peer}}},
			}})
		}
	}
	k, want, names := kernel.New(), f.wanted(s), map[string]string{}
	for key := range want.sets {
		names[key] = fmt.Sprintf("0s:%d", len(names))
		for _, family := range kernel.Families {
			id := kernel.ID{Family: family, Name: "cali" + string(family[3]) + names[key]}
			k.Sets[id] = kernel.Set{Members: slices.Collect(maps.Keys(want.sets[key].members[family]))}
		}
	}
	dispatch, chains := map[kernel.ID][]kernel.Rule{}, map[string]string{}
	for i, c := range want.chains {
		chains[c.String()] = fmt.Sprint("cali-", i)
	}
	for _, c := range want.chains {
		rules := slices.Clone(c.rules)
		for i, r := range rules {
			if r.Do == kernel.Jump {
				rules[i].Chain = chains[r.Chain+" "+string(c.family)]
			}
			rules[i].Sets = slices.Clone(r.Sets)
			for n, set := range r.Sets {
				rules[i].Sets[n].Set = "cali" + string(c.family[3]) + names[set.Set]
			}
		}
		k.Chains[f.id(c.family, "filter", chains[c.String()])] = kernel.Chain{Rules: rules}
		for _, w := range felixWays {
			if c.iface != "" && c.way == w.kind {
				id := f.id(c.family, "filter", w.dispatch)
				dispatch[id] = append(dispatch[id], kernel.Rule{Where: []string{w.iface + c.iface}, Do: kernel.Goto, Chain: chains[c.String()]})
			}
		}
	}
	for id, rules := range dispatch {
		k.Chains[id] = kernel.Chain{Rules: append(rules, kernel.Rule{Do: kernel.Drop})}
		base := f.id(id.Family, "filter", "FORWARD")
		k.Chains[base] = kernel.Chain{Rules: append(k.Chains[base].Rules, kernel.Rule{Do: kernel.Jump, Chain: id.Name})}
	}
	k.Sysctls["ipv4.conf.default.rp_filter"] = "0"
	for _, p := range s.LocalPods() {
		settings := maps.Clone(felixSysctls)
		settings["ipv4.conf.*.rp_filter"] = "0"
		k.Interfaces[f.HostInterface(p.Namespace, p.Name)] = kernel.Interface{Up: true, Sysctls: settings}
	}
	return f, s, k
}

// TestEgressToNamedPortsAloneHasNoSetOfPeers has what fuzzing found: the ports' set is all that Felix makes.
func TestEgressToNamedPortsAloneHasNoSetOfPeers(t *testing.T) {
	for ports, want := range map[string]int{"http": 1, "http 80": 2, "80": 1} {
		s := recordedState(t)
		s.Clear(workloads.NetworkKind)
		rule := networkingv1.NetworkPolicyEgressRule{To: []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{}}}}
		for _, p := range strings.Fields(ports) {
			rule.Ports = append(rule.Ports, networkingv1.NetworkPolicyPort{Port: new(intstr.Parse(p))})
		}
		k := workloads.Key{Namespace: s.LocalPods()[0].Namespace, Name: "out"}
		s.Put(workloads.Policy{Key: k, Spec: networkingv1.NetworkPolicySpec{Egress: []networkingv1.NetworkPolicyEgressRule{rule}}})
		if sets := (felix{targets.Options{DataPlane: "iptables-nft"}}).wanted(s).sets; len(sets) != want {
			t.Errorf("ports %s: %d sets, want %d: %v", ports, len(sets), want, sets)
		}
	}
}

// TestNamedPortsOfAllShareASet has what fuzzing found: a port of any pod's is one set, in either direction.
func TestNamedPortsOfAllShareASet(t *testing.T) {
	s := recordedState(t)
	s.Clear(workloads.NetworkKind)
	http := []networkingv1.NetworkPolicyPort{{Port: new(intstr.FromString("http"))}}
	k := workloads.Key{Namespace: s.LocalPods()[0].Namespace, Name: "both"}
	s.Put(workloads.Policy{Key: k, Spec: networkingv1.NetworkPolicySpec{
		Ingress: []networkingv1.NetworkPolicyIngressRule{{Ports: http}},
		Egress:  []networkingv1.NetworkPolicyEgressRule{{Ports: http, To: []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: "10.128.0.0/16"}}}}},
	}})
	if sets := (felix{targets.Options{DataPlane: "iptables-nft"}}).wanted(s).sets; len(sets) != 1 {
		t.Errorf("%d sets: %v", len(sets), sets)
	}
}
