package report

// Connections is what became of all flows between a choice of pods, once a scenario has failed.
type Connections struct {
	Chosen string   `json:"chosen"` // how the pods were chosen, in words
	Flows  int      `json:"flows"`  // how many were tried
	Pods   []string `json:"pods"`   // namespace/name
	// Rows has a row for each pod, in the order of Pods, with a sign for each pod that it sent to: "." all is as it must be, "+" something passes
	// and must not, "-" something is dropped and must pass, "?" something else or both, " " nothing was tried.
	Rows        []string     `json:"rows"`
	Differences []Connection `json:"differences,omitempty"` // the first of the flows that are not as they must be, at most 200
	Differing   int          `json:"differing,omitempty"`   // how many are not
}

// MostConnections is how many differences a table of connections lists.
const MostConnections = 200

// Connection is a flow that did not end as it must.
type Connection struct {
	From int    `json:"from"` // index of the pod that sent it
	To   int    `json:"to"`   // index of the pod that it was sent to
	Way  string `json:"way"`  // protocol and port, such as "tcp/8080"
	Want string `json:"want"` // what the policies say
	Got  string `json:"got"`  // what became of it
}
