package persistence

import (
	"fmt"
	"reflect"
	"sync"
	"testing"

	"boxoffice/messages"
)

// authorizeOnce is what the mock provider does under one key.
func authorizeOnce(key string) func([]messages.LedgerRow) []messages.LedgerRow {
	return func(history []messages.LedgerRow) []messages.LedgerRow {
		for _, r := range history {
			if r.Key == key {
				return nil
			}
		}
		return []messages.LedgerRow{{Event: "E1", Key: key, Kind: "authorize", Token: "tok_visa", Reference: "r-" + key, Currency: "EUR", Amount: 4950}}
	}
}

// Goal: updates of one authorization come one after the other, whoever makes them. Method: many goroutines append to a
// few authorizations through two processes' batchers; each operation must see all before it, and be there once.
func TestLedgerRaces(t *testing.T) {
	t.Parallel()
	one, url := open(t)
	two := openAt(t, url, Options{})
	const authorizations, keys, repeats = 4, 5, 6
	var wg sync.WaitGroup
	for i := range authorizations * keys * repeats {
		a, k := i%authorizations, i/authorizations%keys
		wg.Go(func() {
			ledger := []*DB{one, two}[i/authorizations/keys%2].Ledger()
			if err := ledger.Update(t.Context(), fmt.Sprint("a", a), authorizeOnce(fmt.Sprint("a", a, " k", k))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	rows, err := one.Ledger().Rows(t.Context(), "E1")
	if err != nil || len(rows) != authorizations*keys {
		t.Fatalf("%d rows, want %d (%v)", len(rows), authorizations*keys, err)
	}
	for i, r := range rows {
		if r.Authorization != fmt.Sprint("a", i/keys) || r.N != int32(i%keys)+1 || r.At <= 0 { //nolint:gosec // small
			t.Errorf("row %d: %+v", i, r)
		}
		found, ok, err := two.Ledger().Find(t.Context(), r.Key)
		if err != nil || !ok || !reflect.DeepEqual(found, r) {
			t.Errorf("found %+v, %v, %v; want %+v", found, ok, err, r)
		}
	}
	if _, ok, err := one.Ledger().Find(t.Context(), "unknown"); ok || err != nil {
		t.Errorf("an unknown key: %v, %v", ok, err)
	}
}

// Goal: a key of another authorization's is refused, and fails nobody else. Method: a batch that has one.
func TestLedgerForeignKey(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	if err := db.Ledger().Update(t.Context(), "a1", authorizeOnce("k1")); err != nil {
		t.Fatal(err)
	}
	batch := []waiter[*ledgerCall]{
		{&ledgerCall{"a3", authorizeOnce("k1")}, make(chan error, 1)},
		{&ledgerCall{"a2", authorizeOnce("k2")}, make(chan error, 1)},
	}
	db.ledger.write(t.Context(), ledgerKey, batch)
	if err := <-batch[0].done; !breaksConstraint(err) {
		t.Errorf("a key used elsewhere: %v", err)
	}
	if err := <-batch[1].done; err != nil {
		t.Errorf("beside it: %v", err)
	}
}
