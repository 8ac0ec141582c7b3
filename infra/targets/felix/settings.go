package felix

import (
	"fmt"
	"maps"

	"github.com/nodefv/nodefv/infra/targets"
)

// felixTrouble is when a Felix that was told to break does so, in seconds after its start: once the driver is at work.
const felixTrouble = "12"

// felixSettings are Felix's own switches for the words of a target's behaviour.
var felixSettings = map[string]map[string]string{
	targets.NoResync: {
		"FELIX_IPTABLESREFRESHINTERVAL": "0", "FELIX_IPSETSREFRESHINTERVAL": "0", "FELIX_ROUTEREFRESHINTERVAL": "0",
		"FELIX_INTERFACEREFRESHINTERVAL": "0", "FELIX_NFTABLESREFRESHINTERVAL": "0", "FELIX_IPTABLESPOSTWRITECHECKINTERVALSECS": "3600", // from an hour on it does not check
	},
	targets.CountsAll:        {"GODEBUG": "memprofilerate=1"},
	targets.Panics:           {"FELIX_DEBUGPANICAFTER": felixTrouble},
	targets.CalculationHangs: {"FELIX_DEBUGSIMULATECALCGRAPHHANGAFTER": felixTrouble},
	targets.DataPlaneHangs:   {"FELIX_DEBUGSIMULATEDATAPLANEHANGAFTER": felixTrouble},
}

func felixEnv(words []string) (map[string]string, error) {
	env := map[string]string{}
	for _, w := range words {
		switches, ok := felixSettings[w]
		if !ok {
			return nil, fmt.Errorf("felix knows no setting %q", w)
		}
		maps.Copy(env, switches)
	}
	return env, nil
}

// NodeTraffic says what Felix's defaults are (its source: filterOutputChain in felix/rules/static.go, and DefaultEndpointToHostAction,
// which is DROP, in felix/config): what the node sends to its pods is not policed, what they send to it is dropped.
func (felix) NodeTraffic() (sends, listens bool) { return true, false }
