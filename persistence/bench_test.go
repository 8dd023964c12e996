package persistence

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sync"
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

// BenchmarkCommit: one batch of an event in flight at a time, events side by side. Facts, answers and what was moved are
// of the size that a batch of 25 confirms has.
func BenchmarkCommit(b *testing.B) {
	for _, events := range []int{1, 4, 16} {
		b.Run(fmt.Sprint(events, " events"), func(b *testing.B) {
			db, _ := open(b)
			epochs := owned(b, db, events)
			facts, answers := bytes.Repeat([]byte("fact"), 25*20), bytes.Repeat([]byte(`{"orderId":"E1.o_`), 25*30)
			moved := make([]byte, 25*2*2)
			var next atomic.Int64
			b.ResetTimer()
			done := make(chan error)
			for e := range events {
				go func() {
					var err error
					for seq := uint64(2); err == nil && next.Add(1) <= int64(b.N); seq++ {
						batch := journaltest.Batch(fmt.Sprint("E", e), epochs[e], seq)
						batch.Entry.Facts, batch.Entry.Answers, batch.Entry.Moved = facts, answers, moved
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

// BenchmarkJoin: 512 buyers at a time join one event, most of them to wait. Beside it, as a yardstick, one statement that
// inserts the same rows, a thousand at a time and known beforehand.
func BenchmarkJoin(b *testing.B) {
	for _, kind := range []string{"without a key", "with a key", "with a key and a client"} {
		b.Run(kind, func(b *testing.B) {
			db, _ := open(b)
			createRoom(b, db, "E1", 500, 100)
			sessions := db.Sessions()
			var n atomic.Int64
			b.SetParallelism(256)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					j := messages.Join{EventID: "E1", SessionID: numbered(n.Add(1))}
					if kind != "without a key" {
						j.Key = j.SessionID
					}
					if kind == "with a key and a client" {
						j.Client, j.ClientMax = j.SessionID, 100
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
	b.Run("yardstick", func(b *testing.B) {
		const statement = `
insert into session (event_id, session_id, place, status, joined_at)
select 'E1', s, $2 + n, 'WAITING', 1 from unnest($1::bytea[]) with ordinality as u (s, n)`
		db, _ := open(b)
		b.ResetTimer()
		for n := 0; n < b.N; n += joinBatchMax {
			ids := make([][]byte, min(joinBatchMax, b.N-n))
			for i := range ids {
				id := numbered(int64(n + i))
				ids[i] = id[:]
			}
			if _, err := db.commits.Exec(b.Context(), statement, ids, n); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "joins/s")
	})
}

// BenchmarkJoinEvents: a thousand buyers at once, each at an event of his own.
func BenchmarkJoinEvents(b *testing.B) {
	const events = 1000
	db, _ := open(b)
	for e := range events {
		createRoom(b, db, fmt.Sprint("E", e), 500, 100)
	}
	sessions := db.Sessions()
	b.ResetTimer()
	for n := range b.N {
		var wg sync.WaitGroup
		for e := range events {
			wg.Go(func() {
				j := messages.Join{EventID: fmt.Sprint("E", e), SessionID: numbered(int64(n))}
				if _, _, err := sessions.Join(b.Context(), j); err != nil {
					b.Error(err)
				}
			})
		}
		wg.Wait()
	}
	b.ReportMetric(events*float64(b.N)/b.Elapsed().Seconds(), "joins/s")
}

// numbered is a random-looking id that costs next to nothing.
func numbered(n int64) (id [16]byte) {
	binary.BigEndian.PutUint64(id[:], uint64(n)*0x9e3779b97f4a7c15) //nolint:gosec // bits
	binary.BigEndian.PutUint64(id[8:], uint64(n))                   //nolint:gosec // bits
	return id
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
