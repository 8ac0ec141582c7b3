package report

import "github.com/nodefv/nodefv/metrics"

// Impaired is what was made worse on purpose in one direction of a link, and what came of it.
type Impaired struct {
	What    string          `json:"what"`             // whose packets became how, in words
	Packets uint64          `json:"packets"`          // that met it
	Lost    uint64          `json:"lost,omitempty"`   // of them, by order
	Claims  []metrics.Claim `json:"claims,omitempty"` // what was asked beside what was achieved
}

// Disproved says why it is not known that this was in force; empty: it was.
func (i Impaired) Disproved() string {
	if i.Packets == 0 {
		return i.What + ": not in force: no packet met it"
	}
	for _, c := range i.Claims {
		if c.State != metrics.InForce {
			return i.What + ": " + c.String()
		}
	}
	return ""
}

// Void says why nothing of the scenario says anything of the SUT, whatever else was found; empty: this finding makes nothing void.
func (f Finding) Void() string {
	if f.Kind == Overflow {
		return f.Error
	}
	for _, i := range f.Impaired {
		if why := i.Disproved(); why != "" {
			return why + "; " + f.where()
		}
	}
	return ""
}
