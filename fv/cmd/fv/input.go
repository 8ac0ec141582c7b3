package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/nodefv/nodefv/fv/harness"
)

// wanted says what the values of flags look like, by the flags' type.
var wanted = map[string]string{
	"int":      "a whole number",
	"uint64":   "a whole number that is not negative",
	"duration": "a time such as 90s or 1h30m",
	"bool":     "true or false",
	"boolfunc": "true or false",
}

// flagError says in words of ours what is wrong with a flag.
func flagError(c *cobra.Command, err error) error {
	help := fmt.Sprintf("; see `%s --help`", c.CommandPath())
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		var known []string
		c.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
		if meant := harness.Nearest(unknown.GetSpecifiedName(), known); meant != "" {
			help = fmt.Sprintf("; did you mean --%s?", meant)
		}
	}
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return usage(fmt.Errorf("%w%s", err, help))
	}
	name, value := invalid.GetFlag().Name, invalid.GetValue()
	if want := wanted[typeOf(invalid.GetFlag())]; want != "" {
		return usage(fmt.Errorf("--%s %q: want %s", name, value, want))
	}
	return usage(fmt.Errorf("--%s %q: %w", name, value, invalid.Unwrap()))
}

// checkFlags refuses a flag that was given with nothing: a script's variable that was not set would choose everything.
func checkFlags(c *cobra.Command) (err error) {
	c.Flags().Visit(func(f *pflag.Flag) {
		if (typeOf(f) == "string" && f.Value.String() == "") && err == nil {
			err = usage(fmt.Errorf("--%s is empty: give it a value, or leave it out", f.Name))
		}
	})
	return err
}

// checkArguments makes wrong arguments of every subcommand a usage error, and flags that are empty.
func checkArguments(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usage(fmt.Errorf("%w; see `%s --help`", err, c.CommandPath()))
			}
			return checkFlags(c)
		}
	}
	for _, sub := range c.Commands() {
		checkArguments(sub)
	}
}

// knownCommand refuses a subcommand that there is not.
func knownCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var known []string
	for _, c := range root.Commands() {
		known = append(known, c.Name())
	}
	if meant := harness.Nearest(args[0], known); meant != "" {
		return fmt.Errorf("unknown command %q; did you mean `fv %s`?", args[0], meant)
	}
	return fmt.Errorf("unknown command %q", args[0])
}
