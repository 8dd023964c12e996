package persistence

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"google.golang.org/protobuf/proto"

	"boxoffice/messages"
)

const (
	// hallTTL is how long a snapshot is of use: the journal's tail after it grows, and Postgres reads a hall as soon.
	hallTTL = 5 * time.Minute
	// hallReplacedTTL is how long one stays that a later has replaced.
	hallReplacedTTL = 10 * time.Second
	// A reader is not to wait longer than this for what only saves work.
	hallReadMax = 50 * time.Millisecond
	// After a failure nobody asks for so long, and then one.
	hallPause = time.Second
	// hallBytesMax bounds a snapshot: the largest hall has 200,000 seats.
	hallBytesMax = 256 << 10
	// versionDigitsMax are those of the largest uint64.
	versionDigitsMax = 20
)

// A snapshot never changes, since its key names its version; the pointer says which is the latest.
func hallPointerKey(eventID string) string { return "availability:" + eventID }

func hallKey(eventID string, version uint64) string {
	return hallPointerKey(eventID) + ":" + strconv.FormatUint(version, 10)
}

// keepScript stores a snapshot and points at it, unless a later one is there. The one before stays for those who have just
// read its name, and not longer: a hall that changes all the time would fill the memory. What points at nothing, or is no
// version, is not ours, or its snapshot is lost: it stands in nobody's way.
var keepScript = redis.NewScript(`
local have = redis.pcall('GET', KEYS[1])
if type(have) == 'string' and tonumber(have) and redis.call('EXISTS', KEYS[1] .. ':' .. have) == 1 then
  if tonumber(have) >= tonumber(ARGV[1]) then
    return 0
  end
  redis.call('EXPIRE', KEYS[1] .. ':' .. have, ARGV[4])
end
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
return 1
`)

// Keep stores a snapshot for other nodes, unless they have a later one. It may be lost. It takes a second at most, and
// without Redis does nothing. The snapshot must be of a state that was committed.
func (h *Halls) Keep(ctx context.Context, eventID string, a *messages.Availability) error {
	if h.redis == nil {
		return nil
	}
	op := fmt.Sprintf("keep version %d of the hall of event %q", a.GetVersion(), eventID)
	encoded, err := proto.Marshal(a)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", op, err)
	case a.GetVersion() == 0 || len(encoded) > hallBytesMax:
		return fmt.Errorf("%s: %d bytes", op, len(encoded))
	}
	ctx, done := h.redis.bounded(ctx, redisStepMax)
	defer done()
	keys := []string{hallPointerKey(eventID), hallKey(eventID, a.GetVersion())}
	err = keepScript.Run(ctx, h.redis.commands, keys,
		a.GetVersion(), encoded, int(hallTTL.Seconds()), int(hallReplacedTTL.Seconds())).Err()
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return nil
}

// kept is the latest snapshot with the journal's tail, and so as of now; nil where that is not to be had from Redis.
func (h *Halls) kept(ctx context.Context, eventID string) *messages.Availability {
	if h.redis == nil || h.away.now() {
		return nil
	}
	a, err := h.redis.snapshot(ctx, eventID)
	wrong := errors.As(err, new(*snapshotError))
	switch {
	case err != nil && ctx.Err() != nil: // it is the caller who did not wait
		return nil
	case err != nil && !wrong && redisPasses(err):
		h.away.begin()
		return nil
	}
	h.away.end()
	if err == nil && a != nil {
		err = h.db.catchUp(ctx, eventID, a)
		wrong = errors.As(err, new(*snapshotError))
	}
	switch {
	case err == nil:
		return a
	case wrong && h.said.now():
		h.redis.log.WarnContext(ctx, "a hall's snapshot in redis is passed over", "event", eventID, "error", err)
	}
	return nil
}

// snapshotError says that what Redis has as a snapshot is none, or not of this database.
type snapshotError struct{ fault string }

func (e *snapshotError) Error() string { return e.fault }

func noSnapshot(format string, args ...any) error {
	return &snapshotError{fmt.Sprintf(format, args...)}
}

// snapshot that was kept last, nil if there is none.
func (r *Redis) snapshot(ctx context.Context, eventID string) (*messages.Availability, error) {
	ctx, done := r.bounded(ctx, hallReadMax)
	defer done()
	// By ranges: whatever is there, no more is read than what ours would be.
	pointer, err := r.commands.GetRange(ctx, hallPointerKey(eventID), 0, versionDigitsMax).Result()
	if err != nil || pointer == "" {
		return nil, err
	}
	version, err := strconv.ParseUint(pointer, 10, 64)
	if err != nil {
		return nil, noSnapshot("its version is %q", pointer)
	}
	encoded, err := r.commands.GetRange(ctx, hallKey(eventID, version), 0, hallBytesMax).Result()
	if err != nil || encoded == "" {
		return nil, err
	}
	a := new(messages.Availability)
	switch err := proto.Unmarshal([]byte(encoded), a); {
	case err != nil:
		return nil, noSnapshot("version %d cannot be read: %v", version, err)
	case len(encoded) > hallBytesMax, version > math.MaxInt64, a.GetVersion() != version:
		return nil, noSnapshot("version %d is version %d, of %d bytes", version, a.GetVersion(), len(encoded))
	case strings.Trim(string(a.GetSeats()), "AHSB") != "":
		return nil, noSnapshot("version %d has seats in no state", version)
	}
	return a, nil
}

// From the entry of the snapshot on: that one is there, or the snapshot is of another journal.
const catchUpStatement = `
select e.seats_total, o.moved_after, now_ms(), coalesce(j.seq, 0), j.moved
from event e
join event_owner o using (event_id)
left join lateral (
    select j.seq, j.moved from journal j
    where j.event_id = e.event_id and j.seq >= $2 and j.moved is not null
    order by j.seq limit $3) j on true
where e.event_id = $1
order by j.seq`

// catchUp brings a snapshot up to the journal's end as of now; *snapshotError, or a *messages.BrokenJournalError, where it
// does not fit the journal.
func (db *DB) catchUp(ctx context.Context, eventID string, a *messages.Availability) error {
	rows, err := db.queries.Query(ctx, catchUpStatement, eventID, a.GetVersion(), hallTailMax+1)
	if err != nil {
		return err
	}
	known, entries, of := false, 0, a.GetVersion()
	var seats int
	var movedAfter, seq uint64
	var moved []byte
	_, err = pgx.ForEachRow(rows, []any{&seats, &movedAfter, &a.AsOf, &seq, &moved}, func() error {
		entries++
		switch {
		case len(a.GetSeats()) != seats:
			return noSnapshot("version %d has %d of %d seats", of, len(a.GetSeats()), seats)
		case seq == of:
			known = true
			return shows(a, moved)
		case of == movedAfter:
			known = true
		}
		if seq == 0 || !known {
			return nil
		}
		return foldMoved(a, moved)
	})
	switch {
	case err != nil:
		return err
	case !known:
		return noSnapshot("version %d is not in the journal", of)
	case entries > hallTailMax:
		return noSnapshot("version %d lags by more than %d entries", of, hallTailMax)
	}
	return nil
}

// shows: the entry that a state is the one after was made when the state says, and has left seats as the state has them.
// A restored database counts through the same numbers again, at other times.
func shows(a *messages.Availability, moved []byte) error {
	m := new(messages.SeatsMoved)
	if err := proto.Unmarshal(moved, m); err != nil {
		return broken("what entry %d moved cannot be read: %v", a.GetVersion(), err)
	}
	if m.GetAt() != a.GetMovedAt() {
		return noSnapshot("version %d is of %d, its entry of %d", a.GetVersion(), a.GetMovedAt(), m.GetAt())
	}
	for _, to := range movedLists(m) {
		for _, i := range to.seats {
			if int(i) >= len(a.GetSeats()) || a.GetSeats()[i] != to.letter {
				return noSnapshot("version %d has not seat %d as its entry left it", a.GetVersion(), i)
			}
		}
	}
	return nil
}

// away remembers that Redis failed a moment ago, so that not everybody finds that out anew.
type away struct{ until atomic.Int64 } // in ns since the Unix epoch; 0: it did not

// now is false for one who may ask again, once hallPause has passed.
func (w *away) now() bool {
	until, now := w.until.Load(), time.Now().UnixNano()
	return until != 0 && (now < until || !w.until.CompareAndSwap(until, now+int64(hallPause)))
}

func (w *away) begin() { w.until.Store(time.Now().UnixNano() + int64(hallPause)) }

func (w *away) end() { w.until.Store(0) }
