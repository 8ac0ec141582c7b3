package felix

import (
	"fmt"
	"maps"

	"github.com/nodefv/nodefv/workloads"
)

// felixTrouble is when a Felix that was told to break does so, in seconds after its start: once the driver is at work.
const felixTrouble = "12"

// felixSettings are Felix's own switches for the settings that it knows.
var felixSettings = map[workloads.Setting]map[string]string{
	workloads.NoResync: {
		"FELIX_IPTABLESREFRESHINTERVAL": "0", "FELIX_IPSETSREFRESHINTERVAL": "0", "FELIX_ROUTEREFRESHINTERVAL": "0",
		"FELIX_INTERFACEREFRESHINTERVAL": "0", "FELIX_NFTABLESREFRESHINTERVAL": "0", "FELIX_IPTABLESPOSTWRITECHECKINTERVALSECS": "3600", // from an hour on it does not check
	},
	workloads.CountsAll:        {"GODEBUG": "memprofilerate=1"},
	workloads.Panics:           {"FELIX_DEBUGPANICAFTER": felixTrouble},
	workloads.CalculationHangs: {"FELIX_DEBUGSIMULATECALCGRAPHHANGAFTER": felixTrouble},
	workloads.DataPlaneHangs:   {"FELIX_DEBUGSIMULATEDATAPLANEHANGAFTER": felixTrouble},
}

func felixEnv(settings []workloads.Setting) (map[string]string, error) {
	env := map[string]string{}
	for _, s := range settings {
		switches, ok := felixSettings[s]
		if !ok {
			return nil, fmt.Errorf("felix knows no setting %q", s)
		}
		maps.Copy(env, switches)
	}
	return env, nil
}

// NodeTraffic says what Felix's defaults are (its source: filterOutputChain in felix/rules/static.go, and DefaultEndpointToHostAction,
// which is DROP, in felix/config): what the node sends to its pods is not policed, what they send to it is dropped.
func (felix) NodeTraffic() (sends, listens bool) { return true, false }
