package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"boxoffice/actors/seatingplan"
)

// stadiumSeatsDefault is a large league ground.
const stadiumSeatsDefault = 50_000

// plan writes a seating plan for trials to standard output, and to standard error how to import it.
func plan(args []string, out, problems io.Writer) error {
	f := flag.NewFlagSet("plan", flag.ContinueOnError)
	f.SetOutput(problems)
	f.Usage = func() {
		fmt.Fprint(problems, "usage: boxoffice plan stadium [--seats N]\n\n")
		f.PrintDefaults()
	}
	seats := f.Int("seats", stadiumSeatsDefault,
		fmt.Sprintf("how many, %d to %d", seatingplan.StadiumSeatsMin, seatingplan.StadiumSeatsMax))
	kind := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		kind, args = args[0], args[1:]
	}
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return &exitError{exitUsage, err}
	}
	if kind != "stadium" || f.NArg() > 0 {
		return &exitError{exitUsage, errors.New("plan writes one kind of hall: stadium")}
	}
	stadium, err := seatingplan.Stadium(*seats)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	if _, err := out.Write(stadium); err != nil {
		return fmt.Errorf("writing the plan: %w", err)
	}
	fmt.Fprint(problems, "To sell it: boxoffice import - --event ID --starts-at TIME")
	for _, category := range seatingplan.StadiumCategories() {
		fmt.Fprintf(problems, " --price %q", category+"=AMOUNT")
	}
	fmt.Fprintln(problems)
	return nil
}
