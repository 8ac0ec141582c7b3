package harness

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// kernelFeatures are what runs need of the kernel, by the names of its build options.
var kernelFeatures = []struct {
	name     string
	options  []string
	optional bool
	cost     string // what can't be done without it
}{
	{name: "network namespaces", options: []string{"NET_NS"}, cost: "workloads live in them"},
	{name: "veth and bridge", options: []string{"VETH", "BRIDGE"}, cost: "workloads and containers are connected by them"},
	{name: "conntrack", options: []string{"NF_CONNTRACK", "NF_CT_NETLINK"}, cost: "policies are stateful"},
	{name: "nf_tables", options: []string{"NF_TABLES", "NF_TABLES_INET", "NFT_CT"}, cost: "the data planes iptables-nft and nftables need it"},
	{name: "iptables over nf_tables", options: []string{"NFT_COMPAT", "NETFILTER_XT_SET"}, cost: "the data plane iptables-nft needs it"},
	{name: "iptables legacy", options: []string{"IP_NF_IPTABLES"}, optional: true, cost: "--dataplane iptables-legacy needs it"},
	{name: "IP sets", options: []string{"IP_SET", "IP_SET_HASH_IP", "IP_SET_HASH_NET", "IP_SET_HASH_IPPORT"}, cost: "the iptables data planes need them"},
	{name: "IPv6", options: []string{"IPV6"}, optional: true, cost: "dual-stack pods can't be checked"},
}

// kernelChecks returns one check for each feature; a kernel that does not show how it was built is believed.
func kernelChecks() []Check {
	options, err := kernelOptions()
	var all []Check
	for _, f := range kernelFeatures {
		all = append(all, Check{Name: "kernel: " + f.name, Optional: f.optional || err != nil, Look: func(context.Context) (string, error) {
			if err != nil {
				return "unknown", err
			}
			var missing []string
			for _, o := range f.options {
				if !options[o] {
					missing = append(missing, "CONFIG_"+o)
				}
			}
			if len(missing) > 0 {
				return "", fmt.Errorf("%s: boot a kernel with %s", f.cost, strings.Join(missing, ", "))
			}
			return "present", nil
		}})
	}
	return all
}

// kernelOptions returns the options that are built in or modules.
func kernelOptions() (map[string]bool, error) {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return nil, fmt.Errorf("uname: %w", err)
	}
	release := unix.ByteSliceToString(uts.Release[:])
	for _, path := range []string{"/proc/config.gz", "/boot/config-" + release, "/lib/modules/" + release + "/config"} {
		options, err := readKernelOptions(path)
		if !errors.Is(err, os.ErrNotExist) {
			return options, err
		}
	}
	return nil, errors.New("this kernel does not show how it was built (no /proc/config.gz, no config in /boot)")
}

func readKernelOptions(path string) (map[string]bool, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var text io.Reader = file
	if strings.HasSuffix(path, ".gz") {
		if text, err = gzip.NewReader(file); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
	}
	options := map[string]bool{}
	for lines := bufio.NewScanner(text); lines.Scan(); {
		name, value, ok := strings.Cut(strings.TrimPrefix(lines.Text(), "CONFIG_"), "=")
		if ok && (value == "y" || value == "m") {
			options[name] = true
		}
	}
	return options, nil
}
