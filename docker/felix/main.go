// Command calico-felix is Calico's node agent, built from its Go module.
package main

import (
	"flag"
	"fmt"

	"github.com/projectcalico/calico/felix/daemon"
	"github.com/projectcalico/calico/pkg/buildinfo"
)

func main() {
	config := flag.String("config-file", "/etc/calico/felix.cfg", "configuration file; it need not exist")
	version := flag.Bool("version", false, "print the version and exit")
	flag.Parse()
	if *version {
		fmt.Println(buildinfo.Version, buildinfo.GitRevision)
		return
	}
	daemon.Run(*config, buildinfo.Version, buildinfo.BuildDate, buildinfo.GitRevision)
}
