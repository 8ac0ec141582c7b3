package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// valueNames are how help calls the values of flags whose description names none between backquotes.
var valueNames = map[string]string{
	"crds": "PATH", "cycles": "N", "dataplane": "NAME", "focus": "REGEXP", "identities": "fresh|same", "keep": "WHEN", "labels": "FILTER",
	"local": "N", "namespaces": "N", "nodes": "N", "out": "DIR", "pods": "N", "rate": "N", "resume": "DIR", "run": "RUN", "runtime": "NAME",
	"stages": "NAMES", "target": "NAME", "budget": "LIMIT", "without-known": "NAME", "churn": "NAME", "plant": "NAME", "protocol": "NAME", "format": "text|json",
	"from": "ENDS", "to": "ENDS",
	"endpoints": "N", "policies": "N", "routes": "N", "connections": "N", "idle": "N", "payload": "BYTES", "proxies": "N", "requests": "RATE", "seconds": "N", "preset": "micro|macro", "tls": "0|1", "parameter": "NAME=VALUES", "show": "REGEXP",
}

// endings are the same for families of flags.
var endings = map[string]string{"-binary": "FILE", "-source": "DIR", "-version": "RELEASE"}

// named is a value that help calls by a name.
type named struct {
	pflag.Value
	name string
}

// Type returns the name.
func (n named) Type() string { return n.name }

// typeOf is the type of a flag's value, whatever help calls it.
func typeOf(f *pflag.Flag) string {
	if n, ok := f.Value.(named); ok {
		return n.Value.Type()
	}
	return f.Value.Type()
}

// nameValues gives the values of all subcommands' flags their names.
func nameValues(c *cobra.Command) {
	c.Flags().VisitAll(func(f *pflag.Flag) {
		name := valueNames[f.Name]
		for ending, n := range endings {
			if strings.HasSuffix(f.Name, ending) {
				name = n
			}
		}
		if t := f.Value.Type(); name != "" && (t == "string" || t == "func" || strings.HasPrefix(t, "string")) {
			f.Value = named{f.Value, name}
		}
	})
	for _, sub := range c.Commands() {
		nameValues(sub)
	}
}

// narrow is the usage that fits a terminal of 80 columns.
func narrow(template string) string {
	return strings.ReplaceAll(template, "FlagUsages ", "FlagUsagesWrapped 80 ")
}
