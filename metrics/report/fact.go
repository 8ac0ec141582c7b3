package report

// Fact is what a probe compares: something of a subject that has a value.
type Fact struct {
	Aspect  Aspect
	Kind    Kind   // of the subject
	Subject string // in the words that name it, such as "policy a/b ingress IPv4"
	Part    string // what of the subject, such as a member of a set; empty: the subject itself
}

// Kind says what a subject is.
type Kind string

// The kinds of subjects.
const (
	Object    Kind = "object"    // of the API
	Gauge     Kind = "gauge"     // of the SUT
	Interface Kind = "interface" // of the kernel
	Route     Kind = "route"
	Address   Kind = "address"
	Flow      Kind = "flow"
	Request   Kind = "request"   // that is routed
	Pod       Kind = "pod"       // what the SUT has programmed for it
	Policy    Kind = "policy"    // likewise
	Namespace Kind = "namespace" // likewise
	Set       Kind = "set"       // of addresses
	Chain     Kind = "chain"     // of rules, of which is not known what it is for
)

// String tells the fact in words.
func (f Fact) String() string {
	switch {
	case f.Part == "":
		return f.Subject
	case f.Kind == Flow || f.Aspect == Order:
		return f.Subject + " " + f.Part
	}
	return f.Subject + ": " + f.Part
}

// Differs returns the difference of the fact.
func (f Fact) Differs(want, got string) Difference {
	return Difference{Fact: f.String(), Want: want, Got: got, Aspect: f.Aspect, Kind: f.Kind, Subject: f.Subject, Part: f.Part}
}

// Change is how a fact differs.
type Change string

// How facts differ. In the order of the words, what is missing comes before what is too many, which may be the same under a name that is not
// known.
const (
	Missing Change = "missing"
	TooMany Change = "too many"
	Wrong   Change = "wrong"
)

// Change says how the fact differs.
func (d Difference) Change() Change {
	switch {
	case d.Got == "":
		return Missing
	case d.Want == "":
		return TooMany
	}
	return Wrong
}
