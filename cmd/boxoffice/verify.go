package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"boxoffice/actors"
	"boxoffice/messages"
	"boxoffice/persistence"
)

// verify compares, for one event or all, the journal with read model, tickets and the mock provider's ledger, each as
// of one moment: a running server does not disturb it.
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
		audit, err := gather(ctx, db, id)
		var broken *messages.BrokenJournalError
		var v actors.Verified
		switch {
		case errors.As(err, &broken):
			v.Findings = []string{broken.Error()} // nothing can be compared with it; the other events can
		case err != nil:
			return err
		default:
			v = actors.Verify(audit)
		}
		report(out, id, v)
		if len(v.Findings) > 0 {
			differing++
		}
	}
	if differing > 0 {
		return fmt.Errorf("%d of %d events differ", differing, len(ids))
	}
	return nil
}

// gather all that is stored of an event, as of one moment.
func gather(ctx context.Context, db *persistence.DB, id string) (*messages.Audit, error) {
	a := &messages.Audit{EventID: id}
	err := db.Audit(ctx, id, func(v *persistence.AuditView) (err error) {
		a.LastSeq, a.ProjectedSeq, a.Plan, a.PlanHash = v.LastSeq, v.ProjectedSeq, v.Plan, v.PlanHash
		a.Snapshot, a.SnapshotSeq, a.Event = v.Snapshot, v.SnapshotSeq, v.Event
		if err := v.Entries(ctx, func(e messages.Entry) error {
			a.Entries = append(a.Entries, e)
			return nil
		}); err != nil {
			return err
		}
		if a.Seats, err = v.Seats(ctx); err != nil {
			return err
		}
		if a.Orders, err = v.Orders(ctx); err != nil {
			return err
		}
		if a.Payments, err = v.Payments(ctx); err != nil {
			return err
		}
		if a.Sessions, err = v.Sessions(ctx); err != nil {
			return err
		}
		if a.Tickets, err = v.Tickets(ctx); err != nil {
			return err
		}
		a.Ledger, err = v.Ledger(ctx)
		return err
	})
	return a, err
}

// report one event.
func report(out io.Writer, id string, v actors.Verified) {
	for _, finding := range v.Findings {
		fmt.Fprintf(out, "%s: %s\n", id, finding)
	}
	verdict := "journal, read model, tickets and ledger agree"
	if n := len(v.Findings); n > 0 {
		verdict = fmt.Sprintf("%d differences", n)
	}
	fmt.Fprintf(out, "%s: %d entries, %d seats sold, %d payment operations under way: %s\n", id, v.Entries, v.Sold, v.Open, verdict)
}
