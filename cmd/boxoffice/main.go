// Command boxoffice is the server and its tools: wiring and configuration, nothing else.
//
//	boxoffice serve     answers HTTP until SIGTERM
//	boxoffice import    creates an event from a seating plan
//	boxoffice plan      writes a seating plan for trials
//	boxoffice verify    compares the journal with everything that is derived from it
//	boxoffice certs     makes certificates for the nodes of a cluster
//	boxoffice health    asks the server beside it whether it is ready
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes, beside 0 and the 1 of every other failure.
const (
	exitUsage  = 2
	exitExists = 3
)

// exitError is an error with an exit code of its own.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

const usage = `usage: boxoffice COMMAND

  serve                       answer HTTP until SIGTERM
  import FILE --event ID …    create an event from pretix seating-plan JSON (FILE - is standard input)
  plan stadium [--seats N]    write a stadium as such JSON, for trials
  verify [--event ID]         replay journals and compare them with read model, tickets and payment ledger
  certs DIR [--nodes N]       make a CA and certificates, with which nodes prove to each other that they are nodes
  health                      ask the server of the same environment whether it is ready, for container engines

Settings come from the environment: see README.md, "Configuration". "boxoffice import --help" lists its flags.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "boxoffice:", err)
	var exit *exitError
	if errors.As(err, &exit) {
		os.Exit(exit.code)
	}
	os.Exit(1)
}

func run(ctx context.Context, args []string, in io.Reader, out, problems io.Writer) error {
	if len(args) == 0 {
		fmt.Fprint(problems, usage)
		return &exitError{exitUsage, errors.New("no command")}
	}
	switch args[0] {
	case "serve":
		return serve(ctx, problems)
	case "import":
		return importEvent(ctx, args[1:], in, out, problems)
	case "plan":
		return plan(args[1:], out, problems)
	case "verify":
		return verify(ctx, args[1:], out, problems)
	case "certs":
		return certs(args[1:], out, problems)
	case "health":
		return health(ctx, out)
	case "help", "-h", "--help":
		fmt.Fprint(out, usage)
		return nil
	}
	fmt.Fprint(problems, usage)
	return &exitError{exitUsage, fmt.Errorf("unknown command %q", args[0])}
}
