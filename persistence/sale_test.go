package persistence

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"boxoffice/messages"
	"boxoffice/persistence/journaltest"
)

// Goal: how an event sells is stored beside its settings, not among them, and stays as it is where a projection says
// nothing of it. Method: an event is made and projected with and without.
func TestSaleIsShown(t *testing.T) {
	t.Parallel()
	db, url := open(t)
	ctx, conn := t.Context(), outsider(t, url)
	e := journaltest.NewEvent("E1", 25)
	e.Event.Sale = &messages.Sale{Available: 25, PriceFrom: 4950}
	if err := db.Catalogue().CreateEvent(ctx, e); err != nil {
		t.Fatal(err)
	}
	j := db.Journal("a")
	claim, err := j.Claim(ctx, "E1")
	if err != nil {
		t.Fatal(err)
	}
	shown := func(want *messages.Sale) {
		t.Helper()
		one, err := db.Catalogue().Event(ctx, "E1")
		if err != nil || !proto.Equal(one.GetSale(), want) {
			t.Errorf("the event says {%v}, want {%v} (%v)", one.GetSale(), want, err)
		}
		for _, text := range []string{"", "event", "evnet"} {
			all, _, err := db.Catalogue().Events(ctx, messages.EventQuery{Text: text})
			if err != nil || len(all) != 1 || !proto.Equal(all[0], one) {
				t.Errorf("%q lists %v, want %v (%v)", text, all, one, err)
			}
		}
		a, err := db.Audit(ctx, "E1")
		if err != nil || !proto.Equal(a.Sale, want) {
			t.Errorf("the audit says %v, want {%v} (%v)", a, want, err)
		}
		var among bool
		if err := conn.QueryRow(ctx, `select settings ? 'sale' from event`).Scan(&among); err != nil || among {
			t.Errorf("the sale is among the settings (%v)", err)
		}
	}
	shown(e.Event.Sale)
	for i, step := range []struct{ sale, want *messages.Sale }{
		{&messages.Sale{Available: 20, Held: 3, PriceFrom: 9900}, &messages.Sale{Available: 20, Held: 3, PriceFrom: 9900}},
		{nil, &messages.Sale{Available: 20, Held: 3, PriceFrom: 9900}},
		{&messages.Sale{}, &messages.Sale{}},
	} {
		seq := uint64(i) + 2 //nolint:gosec // small
		if err := j.Commit(ctx, journaltest.Batch("E1", claim.Epoch, seq)); err != nil {
			t.Fatal(err)
		}
		p := messages.Projection{EventID: "E1", From: seq - 1, To: seq, Sale: step.sale}
		if i == 1 {
			p.Event = proto.CloneOf(e.Event)
			p.Event.Sale = &messages.Sale{Available: 77}
		}
		if err := db.ReadModel().Project(ctx, p); err != nil {
			t.Fatal(err)
		}
		shown(step.want)
	}
}

// Goal: an event that gets another name is found by that, misspelled too, and no longer by the one before.
func TestRenamedEventIsFoundAnew(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	ctx, c := t.Context(), db.Catalogue()
	create(t, db, "E1", 1)
	j := db.Journal("a")
	claim, err := j.Claim(ctx, "E1")
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Commit(ctx, journaltest.Batch("E1", claim.Epoch, 2)); err != nil {
		t.Fatal(err)
	}
	e := journaltest.NewEvent("E1", 1).Event
	e.Name = "Motörhead"
	if err := db.ReadModel().Project(ctx, messages.Projection{EventID: "E1", From: 1, To: 2, Event: e}); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"motorhead": "E1", "mötörhaed": "E1", "motohread": "E1", "event": ""} {
		if got := find(t, c, text); got != want {
			t.Errorf("%q finds %q, want %q", text, got, want)
		}
	}
}
