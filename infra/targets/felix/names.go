package felix

import (
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/workloads/kernel"
)

// The bits of a packet's mark, from Felix's standard mask.
const (
	felixAccepted  = 0x10000
	felixPassed    = 0x20000
	felixDenied    = 0x40000
	felixBlocks    = 0x80000  // all blocks of a rule matched so far
	felixThisBlock = 0x100000 // the running block matched
)

const felixTable = "filter" // where the chains of endpoints and policies belong

// felixChains begins the name of every chain that Felix makes.
const felixChains = "cali-"

// felixWay is what differs between the two directions, seen from the pod. From dispatch, all chains of the pods are found.
type felixWay struct {
	kind                               networkingv1.PolicyType
	dispatch, iface, by, word, reached string
	chains                             string // begins the names of the endpoints' chains
}

var felixWays = []felixWay{
	{networkingv1.PolicyTypeIngress, "cali-to-wl-dispatch", "out ", "from", "ingress", "to", "cali-tw-"},
	{networkingv1.PolicyTypeEgress, "cali-from-wl-dispatch", "in ", "to", "egress", "from", "cali-fw-"},
}

// place takes an identity apart: in nftables mode all is in one table and carries the name of the table that it would have
// been in.
func (f felix) place(id kernel.ID) (table, name string) {
	if f.Backend() != kernel.NFTables {
		return id.Table, id.Name
	}
	if id.Table != "calico" && id.Table != "calico-arp" {
		return id.Table, id.Name
	}
	table, name, _ = strings.Cut(id.Name, "-")
	return table, name
}

// id is the opposite of place.
func (f felix) id(family kernel.Family, table, name string) kernel.ID {
	if f.Backend() == kernel.NFTables {
		return kernel.ID{Family: family, Table: "calico", Name: table + "-" + name}
	}
	return kernel.ID{Family: family, Table: table, Name: name}
}

// chain is the name of a chain that a rule leads to, without its table.
func (f felix) chain(name string) string {
	if f.Backend() == kernel.NFTables {
		_, name, _ = strings.Cut(name, "-")
	}
	return name
}

// madeForPolicy reports whether a set is one of those that come and go with policies, by its name: cali40s:…, and with a
// dash in nftables mode.
func madeForPolicy(name string) bool {
	rest, ok := strings.CutPrefix(name, "cali40")
	if !ok {
		if rest, ok = strings.CutPrefix(name, "cali60"); !ok {
			return false
		}
	}
	for _, kind := range []string{"s", "n", "svc", "svcnoport"} {
		if after, ok := strings.CutPrefix(rest, kind); ok && after != "" && (after[0] == ':' || after[0] == '-') {
			return true
		}
	}
	return false
}
