package workloads

// Setting is a way in which an agent can be told to behave, of which a target knows some: it refuses the others.
type Setting string

// The settings.
const (
	NoResync         Setting = "no resync"         // it never looks again at what it has programmed
	Panics           Setting = "panics"            // it panics some seconds after its start
	CalculationHangs Setting = "calculation hangs" // it stops working on what it hears, some seconds after its start
	DataPlaneHangs   Setting = "data plane hangs"  // it stops programming, some seconds after its start
	CountsAll        Setting = "counts all"        // its heap profile counts every allocation, which costs it time
)
