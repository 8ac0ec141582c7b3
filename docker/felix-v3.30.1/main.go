// Command calico-felix is Calico's node agent, built from its Go module.
package main

import (
	"flag"
	"fmt"

	"github.com/projectcalico/calico/felix/daemon"
)

// What the linker sets; see recipe.json.
var version, revision, date string

func main() {
	config := flag.String("config-file", "/etc/calico/felix.cfg", "configuration file; it need not exist")
	show := flag.Bool("version", false, "print the version and exit")
	flag.Parse()
	if *show {
		fmt.Println(version, revision)
		return
	}
	daemon.Run(*config, version, date, revision)
}
