package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// hostTools are the programs by which agents and diagnostics work, with the packages of docker/base/packages that hold them.
var hostTools = map[string]string{"iptables": "iptables", "iptables-legacy": "iptables", "ipset": "ipset", "nft": "nftables", "conntrack": "conntrack", "ip": "iproute2"}

// HostTools makes sure that this machine has the programs of a node, for environments that have no image with them. It installs them where
// it may; elsewhere its error says what to do.
func (b *Builder) HostTools(ctx context.Context) error {
	missing := MissingTools()
	if len(missing) == 0 {
		return nil
	}
	var packages []string
	for _, tool := range missing {
		packages = append(packages, hostTools[tool])
	}
	slices.Sort(packages)
	packages = slices.Compact(packages)
	_, err := exec.LookPath("apt-get")
	if err != nil {
		return fmt.Errorf("this machine has no %s: install the packages that hold them (Debian's are %s)", strings.Join(missing, ", "), strings.Join(packages, ", "))
	}
	install := append([]string{"install", "-y", "--no-install-recommends"}, packages...)
	if os.Geteuid() != 0 {
		return fmt.Errorf("this machine has no %s: sudo apt-get %s", strings.Join(missing, ", "), strings.Join(install, " "))
	}
	unlock, err := b.Lock(ctx, Base, "tools")
	if err != nil {
		return err
	}
	defer unlock()
	if len(MissingTools()) == 0 {
		return nil
	}
	defer b.Step(Base, "install "+strings.Join(packages, ", "))()
	return aptInstall(ctx, install)
}

// aptInstall installs packages; where the index is absent or old, after an update.
func aptInstall(ctx context.Context, install []string) error {
	if aptGet(ctx, install...) == nil {
		return nil
	}
	// A broken source that is not the distribution's does not matter: the installation tells.
	stale := aptGet(ctx, "update")
	if err := aptGet(ctx, install...); err != nil {
		return errors.Join(err, stale)
	}
	return nil
}

// MissingTools names the programs of a node that this machine lacks.
func MissingTools() []string {
	var missing []string
	for tool := range hostTools {
		if !hasTool(tool) {
			missing = append(missing, tool)
		}
	}
	slices.Sort(missing)
	return missing
}

// hasTool looks for a program where containers look for it, whatever PATH this process has.
func hasTool(name string) bool {
	for _, dir := range []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"} {
		if exists(filepath.Join(dir, name)) {
			return true
		}
	}
	return false
}
