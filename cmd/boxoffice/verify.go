package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"boxoffice/actors"
	"boxoffice/actors/ticket"
	"boxoffice/http"
	"boxoffice/persistence"
)

// verify compares, for one event or all, the journal with read model, tickets and the mock provider's ledger, each as
// of one moment: a running server does not disturb it. Tickets' codes are checked where the environment has their keys.
func verify(ctx context.Context, args []string, out, problems io.Writer) error {
	flags := flag.NewFlagSet("verify", flag.ContinueOnError)
	flags.SetOutput(problems)
	event := flags.String("event", "", "the event's id (default: all events)")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return &exitError{exitUsage, err}
	}
	if flags.NArg() > 0 {
		return &exitError{exitUsage, fmt.Errorf("verify takes no argument %q", flags.Arg(0))}
	}
	url := os.Getenv("DATABASE_URL")
	if url == "" {
		return errors.New("DATABASE_URL is not set")
	}
	keys, err := gateKeys(os.Getenv)
	if err != nil {
		return err
	}
	db, err := persistence.Open(ctx, url, persistence.Options{Name: "verify"})
	if err != nil {
		return err
	}
	defer db.Close()
	ids := []string{*event}
	if *event == "" {
		if ids, err = db.EventIDs(ctx); err != nil {
			return err
		}
	}
	differing := 0
	for _, id := range ids {
		audit, err := db.Audit(ctx, id)
		if err != nil {
			return err
		}
		v := actors.Verify(audit, keys...)
		report(out, id, v, len(keys) > 0)
		if len(v.Findings) > 0 {
			differing++
		}
	}
	if differing > 0 {
		return fmt.Errorf("%d of %d events differ", differing, len(ids))
	}
	return nil
}

// gateKeys are those that verify tickets, none where the environment has no keys.
func gateKeys(getenv func(string) string) ([]ticket.PublicKey, error) {
	list := or(getenv("BOXOFFICE_TICKET_KEYS"), getenv("BOXOFFICE_TOKEN_KEYS"))
	if list == "" {
		return nil, nil
	}
	keys, err := http.ParseKeys(list)
	if err != nil {
		return nil, fmt.Errorf("ticket keys: %w", err)
	}
	signer, err := newSigner(keys)
	if err != nil {
		return nil, fmt.Errorf("ticket keys: %w", err)
	}
	return signer.PublicKeys(), nil
}

// report one event.
func report(out io.Writer, id string, v actors.Verified, codes bool) {
	for _, finding := range v.Findings {
		fmt.Fprintf(out, "%s: %s\n", id, finding)
	}
	verdict := "journal, read model, tickets and ledger agree"
	if n := len(v.Findings); n > 0 {
		verdict = fmt.Sprintf("%d differences", n)
	}
	if !codes {
		verdict += " (ticket codes not checked: neither BOXOFFICE_TICKET_KEYS nor BOXOFFICE_TOKEN_KEYS is set)"
	}
	fmt.Fprintf(out, "%s: %d entries, %d seats sold, %d payment operations under way: %s\n", id, v.Entries, v.Sold, v.Open, verdict)
}
