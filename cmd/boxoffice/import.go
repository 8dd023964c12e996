package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/text/currency"

	"boxoffice/actors"
	"boxoffice/messages"
	"boxoffice/migrations"
	"boxoffice/persistence"
)

// planBytesMax is what the admin endpoint takes, too.
const planBytesMax = 64 << 20

// importFlags are the flags of `boxoffice import`. The defaults are those of the HTTP contract.
type importFlags struct {
	*flag.FlagSet
	event              messages.Event
	holdTTL, activeTTL uint
	maxSeats, maxOrder uint
	active, admit      uint
	startsAt, onSaleAt string
	waitingRoom        bool
	prices, performers texts
}

// texts is a flag that may be given more than once.
type texts []string

func (t *texts) String() string     { return strings.Join(*t, ", ") }
func (t *texts) Set(s string) error { *t = append(*t, s); return nil }

func newImportFlags(problems io.Writer) *importFlags {
	f := &importFlags{FlagSet: flag.NewFlagSet("import", flag.ContinueOnError)}
	f.SetOutput(problems)
	f.Usage = func() {
		fmt.Fprint(problems, "usage: boxoffice import FILE --event ID --starts-at TIME --price \"CATEGORY=AMOUNT\" …\n\n")
		f.PrintDefaults()
	}
	f.StringVar(&f.event.EventId, "event", "", "the event's id: 1 to 64 of A-Z a-z 0-9 _ -")
	f.StringVar(&f.event.Name, "name", "", "what is played (default: the plan's name)")
	f.StringVar(&f.event.Venue, "venue", "", "where (default: the plan's name)")
	f.StringVar(&f.event.City, "city", "", "the venue's city")
	f.Var(&f.performers, "performer", "who performs; may be given more than once")
	f.StringVar(&f.startsAt, "starts-at", "", "when, as 2026-12-31T20:00:00+01:00")
	f.StringVar(&f.onSaleAt, "on-sale-at", "", "when the sale opens (default: at once)")
	f.StringVar(&f.event.Currency, "currency", "EUR", "ISO 4217 code of the prices")
	f.Var(&f.prices, "price", "CATEGORY=AMOUNT in the currency's main unit, as \"Kategorie I=49.50\"; one for each category")
	f.UintVar(&f.holdTTL, "hold-ttl", 300, "seconds for which seats are held")
	f.UintVar(&f.maxSeats, "max-seats", 8, "seats an order")
	f.UintVar(&f.maxOrder, "max-orders", 4, "orders a session")
	f.BoolVar(&f.waitingRoom, "waiting-room", true, "let buyers in through a waiting room")
	f.UintVar(&f.active, "active-limit", 500, "buyers let in at once")
	f.UintVar(&f.activeTTL, "active-ttl", 600, "seconds for which a buyer is let in")
	f.UintVar(&f.admit, "admit-per-second", 100, "buyers let in a second")
	return f
}

// importEvent creates an event through DATABASE_URL; a running server sells it at once.
func importEvent(ctx context.Context, args []string, in io.Reader, out, problems io.Writer) error {
	f := newImportFlags(problems)
	file := ""
	if len(args) > 0 && (args[0] == "-" || !strings.HasPrefix(args[0], "-")) {
		file, args = args[0], args[1:]
	}
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return &exitError{exitUsage, err}
	}
	if file == "" && f.NArg() == 1 {
		file = f.Arg(0)
	} else if f.NArg() > 0 || file == "" {
		return &exitError{exitUsage, errors.New("import takes one seating plan: a file, or - for standard input")}
	}
	plan, err := readPlan(file, in)
	if err != nil {
		return err
	}
	event, err := f.newEvent(plan)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	url := os.Getenv("DATABASE_URL")
	if url == "" {
		return errors.New("DATABASE_URL is not set")
	}
	db, err := persistence.Open(ctx, url, persistence.Options{Name: "import"})
	if err != nil {
		return err
	}
	defer db.Close()
	if err := migrateAlone(ctx, db, url); err != nil {
		return err
	}
	created, err := actors.NewOrganiser(db.Catalogue()).Create(ctx, event)
	return importDone(out, problems, file, created, err)
}

// importDone says what became of it.
func importDone(out, problems io.Writer, file string, created *messages.Event, err error) error {
	var exists *messages.EventExistsError
	var invalid *messages.InvalidInputError
	switch {
	case errors.As(err, &exists):
		return &exitError{exitExists, err}
	case errors.As(err, &invalid):
		for _, fault := range invalid.Faults {
			fmt.Fprintf(problems, "%s: %s: %s\n", file, strings.TrimPrefix(fault.GetField(), "seatingPlan."), fault.GetMessage())
		}
		return errors.New("nothing was imported")
	case err != nil:
		return err
	}
	fmt.Fprintf(out, "Event %s: %s, %d seats in %d categories, on sale.\n",
		created.GetEventId(), created.GetName(), created.GetSeatsTotal(), len(created.GetCategories()))
	return nil
}

func readPlan(file string, in io.Reader) ([]byte, error) {
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer opened.Close()
		in = opened
	}
	plan, err := io.ReadAll(io.LimitReader(in, planBytesMax+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	if len(plan) > planBytesMax {
		return nil, fmt.Errorf("%s is larger than %d MiB", file, planBytesMax>>20)
	}
	return plan, nil
}

// newEvent is what the flags say.
func (f *importFlags) newEvent(plan []byte) (messages.NewEvent, error) {
	n := messages.NewEvent{Event: &f.event, PlanJSON: plan, Prices: make(map[string]int64)}
	e := n.Event
	e.Performers = f.performers
	e.HoldTtlSeconds, e.MaxSeatsPerOrder, e.MaxOrdersPerSession = uint32(f.holdTTL), uint32(f.maxSeats), uint32(f.maxOrder)
	e.WaitingRoom = &messages.WaitingRoom{
		Enabled: f.waitingRoom, ActiveLimit: uint32(f.active), ActiveTtlSeconds: uint32(f.activeTTL), AdmitPerSecond: uint32(f.admit),
	}
	var err error
	if e.StartsAt, err = parseTime("--starts-at", f.startsAt); err != nil {
		return n, err
	}
	if f.onSaleAt != "" {
		if e.OnSaleAt, err = parseTime("--on-sale-at", f.onSaleAt); err != nil {
			return n, err
		}
	}
	for _, p := range f.prices {
		name, amount, ok := cutLast(p, "=")
		if !ok {
			return n, fmt.Errorf("--price %q: want CATEGORY=AMOUNT", p)
		}
		if _, twice := n.Prices[name]; twice {
			return n, fmt.Errorf("--price: two for category %q", name)
		}
		if n.Prices[name], err = minorUnits(amount, e.GetCurrency()); err != nil {
			return n, fmt.Errorf("--price %q: %w", p, err)
		}
	}
	return n, nil
}

func parseTime(flag, s string) (int64, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return 0, fmt.Errorf("%s %q: want a time as 2026-12-31T20:00:00+01:00", flag, s)
	}
	return t.UnixMilli(), nil
}

// cutLast cuts s around the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// minorUnits of an amount such as 49.50: cents of a euro, but whole yen.
func minorUnits(amount, code string) (int64, error) {
	unit, err := currency.ParseISO(code)
	if err != nil {
		return 0, fmt.Errorf("%q is no ISO 4217 currency", code)
	}
	digits, _ := currency.Standard.Rounding(unit)
	whole, fraction, _ := strings.Cut(amount, ".")
	if len(fraction) > digits {
		return 0, fmt.Errorf("%s has %d decimals", code, digits)
	}
	var n int64
	for _, c := range whole + fraction + strings.Repeat("0", digits-len(fraction)) {
		if c < '0' || c > '9' || n > amountMax/10 {
			return 0, fmt.Errorf("%q is no amount", amount)
		}
		n = n*10 + int64(c-'0')
	}
	if whole == "" {
		return 0, fmt.Errorf("%q is no amount", amount)
	}
	return n, nil
}

// amountMax keeps parsing from overflowing; what a price may be is checked with the other settings.
const amountMax = int64(1) << 60

// migrateAlone brings the schema up to date where it is not, but never under a running server, which is of an older version
// then: how the schema changes under that is for whoever replaces the servers to decide, not for an import.
func migrateAlone(ctx context.Context, db *persistence.DB, url string) error {
	current, err := migrations.Current(ctx, url)
	if err != nil || current {
		return err
	}
	lock, err := db.HoldServerLockAlone(ctx)
	var locked *persistence.ServerLockedError
	switch {
	case errors.As(err, &locked):
		return fmt.Errorf("the database's schema is older than this boxoffice, and may not be changed under a running server: "+
			"import with the version that runs, or stop it first: %w", err)
	case err != nil:
		return err
	}
	defer lock.Release()
	if err := migrations.Up(ctx, url); err != nil {
		return fmt.Errorf("bringing the database up to date: %w", err)
	}
	return nil
}
