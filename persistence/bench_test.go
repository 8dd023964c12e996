package persistence

import (
	"bytes"
	"fmt"
	"sync/atomic"
	"testing"

	"boxoffice/messages"
	"boxoffice/persistence/journaltest"
)

// owned makes events and claims them.
func owned(b *testing.B, db *DB, events int) (epochs []uint64) {
	b.Helper()
	for e := range events {
		create(b, db, fmt.Sprint("E", e), 10)
		c, err := db.Journal("a").Claim(b.Context(), fmt.Sprint("E", e))
		if err != nil {
			b.Fatal(err)
		}
		epochs = append(epochs, c.Epoch)
	}
	return epochs
}

// BenchmarkCommit: one batch of an event in flight at a time, events side by side. Facts and answers are of the size
// that a batch of 25 confirms has.
func BenchmarkCommit(b *testing.B) {
	for _, events := range []int{1, 4, 16} {
		b.Run(fmt.Sprint(events, " events"), func(b *testing.B) {
			db, _ := open(b)
			epochs := owned(b, db, events)
			facts, answers := bytes.Repeat([]byte("fact"), 25*20), bytes.Repeat([]byte(`{"orderId":"E1.o_`), 25*30)
			var next atomic.Int64
			b.ResetTimer()
			done := make(chan error)
			for e := range events {
				go func() {
					var err error
					for seq := uint64(2); err == nil && next.Add(1) <= int64(b.N); seq++ {
						batch := journaltest.Batch(fmt.Sprint("E", e), epochs[e], seq)
						batch.Entry.Facts, batch.Entry.Answers = facts, answers
						err = db.Journal("a").Commit(b.Context(), batch)
					}
					done <- err
				}()
			}
			for range events {
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
		})
	}
}

// BenchmarkCommitTickets: each batch sells 20 seats.
func BenchmarkCommitTickets(b *testing.B) {
	db, _ := open(b)
	epochs := owned(b, db, 1)
	b.ResetTimer()
	for n := range b.N {
		batch := journaltest.Batch("E0", epochs[0], uint64(n)+2) //nolint:gosec // counts up
		for i := range 20 {
			batch.Tickets = append(batch.Tickets, journaltest.Ticket(journaltest.ID("order", n), 20*n+i))
		}
		if err := db.Journal("a").Commit(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(20*float64(b.N)/b.Elapsed().Seconds(), "tickets/s")
}

func BenchmarkFence(b *testing.B) {
	db, _ := open(b)
	epochs := owned(b, db, 1)
	b.ResetTimer()
	for range b.N {
		if err := db.Journal("a").Commit(b.Context(), messages.Batch{EventID: "E0", Epoch: epochs[0]}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkJoin: 256 buyers at a time join one event.
func BenchmarkJoin(b *testing.B) {
	for name, keyed := range map[string]bool{"without a key": false, "with a key": true} {
		b.Run(name, func(b *testing.B) {
			db, _ := open(b)
			create(b, db, "E1", 10)
			sessions := db.Sessions()
			var n atomic.Int64
			b.SetParallelism(128)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					j := messages.Join{EventID: "E1", SessionID: journaltest.ID("session", int(n.Add(1))), ActiveTTL: ttl}
					if keyed {
						j.Key = j.SessionID
					}
					if _, _, err := sessions.Join(b.Context(), j); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "joins/s")
		})
	}
}

// BenchmarkLedger: 256 operations at a time, each of an authorization of its own.
func BenchmarkLedger(b *testing.B) {
	db, _ := open(b)
	ledger := db.Ledger()
	var n atomic.Int64
	b.SetParallelism(128)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			key := fmt.Sprint("k", n.Add(1))
			if err := ledger.Update(b.Context(), key, authorizeOnce(key)); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "operations/s")
}

// BenchmarkProject: each step changes 200 seats, orders and payments.
func BenchmarkProject(b *testing.B) {
	const rows = 200
	db, _ := open(b)
	create(b, db, "E0", 10_000)
	c, err := db.Journal("a").Claim(b.Context(), "E0")
	if err != nil {
		b.Fatal(err)
	}
	for n := range b.N {
		if err := db.Journal("a").Commit(b.Context(), journaltest.Batch("E0", c.Epoch, uint64(n)+2)); err != nil { //nolint:gosec // counts up
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for n := range b.N {
		p := messages.Projection{EventID: "E0", From: uint64(n) + 1, To: uint64(n) + 2} //nolint:gosec // counts up
		for i := range rows {
			order, seat := journaltest.ID("order", n*rows+i), int32((n*rows+i)%10_000) //nolint:gosec // small
			p.Seats = append(p.Seats, messages.SeatRow{Index: seat, State: 'S', OrderID: order})
			p.Orders = append(p.Orders, messages.OrderRow{OrderID: order, Status: messages.OrderStatus_ORDER_STATUS_COMPLETED, Seats: []int32{seat}, CreatedAt: 1})
			p.Payments = append(p.Payments, messages.PaymentRow{OrderID: order, Attempt: 1, Status: messages.PaymentCaptured})
		}
		if err := db.ReadModel().Project(b.Context(), p); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "orders/s")
}

// BenchmarkCreateEvent: the largest hall.
func BenchmarkCreateEvent(b *testing.B) {
	db, _ := open(b)
	for n := range b.N {
		create(b, db, fmt.Sprint("E", n), 200_000)
	}
}
