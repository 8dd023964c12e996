package sse

import (
	"net"
	"sync"
	"syscall"
	"time"
)

// Limits of what a stream has been sent and has not taken, besides what the socket holds. The frames are often other
// streams' too.
const (
	queueFramesMax = 64
	queueBytesMax  = 64 << 10
	// One frame larger than largeBytesMin may wait besides, such as a whole hall's availability: who is slow to take that
	// is not yet a slow reader.
	largeBytesMin = 16 << 10
	largeBytesMax = 1 << 20
)

// cause is why a stream ended.
type cause uint8

const (
	causeEnded cause = iota
	causeSlow
	causeGone
)

// Stream is one client's.
//
//  1. Frames leave in the order of Send.
//  2. At most one goroutine writes to it or closes it: who has set busy. It is set from the beginning until opened has
//     returned, so that nothing leaves and Closed is not called before.
//  3. Only who is busy takes frames off the queue; others append.
type Stream struct {
	server *Server
	conn   net.Conn
	// raw is nil where the stream has goroutines of its own.
	raw    syscall.RawConn
	closed func()
	// next is the server's, of the streams that are ready.
	next *Stream
	// older is the server's, of the streams of this key.
	older    *Stream
	key      [16]byte
	address  [16]byte
	slot     int32
	turn     int32 // of the slot
	received int32 // bytes, by the poller alone
	kind     uint8

	mu       sync.Mutex
	attached bool // the connection is ours
	busy     bool
	blocked  bool // the socket is full; epoll will tell when it is not
	woken    bool // epoll told, and a writer has not seen it
	ending   bool // ends once the queue is empty
	over     bool
	why      cause
	// moved is the tick when bytes last left, or since when they have been waiting.
	moved  uint32
	sent   int   // bytes of the first frame
	queued int   // bytes of all but the large frame, with those sent
	large  *byte // the first of the large frame that is in the queue; nil: none is
	queue  [][]byte
	// few is the queue's memory as long as it is short.
	few [2][]byte
}

// Send hands a frame, as AppendEvent makes it, to the stream. It never blocks. The frame must not change afterwards; it
// may go to many streams. False says that the stream is over, or is now, because its queue was full.
func (st *Stream) Send(frame []byte) bool {
	return st.send(frame, false)
}

// End sends last, which may be empty, and then closes the connection.
func (st *Stream) End(last []byte) {
	st.send(last, true)
}

func (st *Stream) send(frame []byte, end bool) bool {
	st.mu.Lock()
	wake, ok := false, false
	switch {
	case st.over || st.ending:
	case len(frame) > 0 && !st.fits(frame):
		wake = st.stop(causeSlow)
	default:
		st.append(frame)
		st.ending = end
		wake, ok = !st.blocked && (end || len(frame) > 0) && st.engage(), true
	}
	st.mu.Unlock()
	if wake {
		st.server.wake(st)
	}
	return ok
}

func (st *Stream) fits(frame []byte) bool {
	if len(st.queue) >= queueFramesMax {
		return false
	}
	if len(frame) > largeBytesMin && st.large == nil {
		return len(frame) <= largeBytesMax
	}
	return st.queued+len(frame) <= queueBytesMax
}

// count a frame that comes into the queue, or leaves it.
func (st *Stream) count(frame []byte, comes bool) {
	switch {
	case comes && len(frame) > largeBytesMin && st.large == nil:
		st.large = &frame[0]
	case comes:
		st.queued += len(frame)
	case st.large == &frame[0]:
		st.large = nil
	default:
		st.queued -= len(frame)
	}
}

// append is called with the lock held.
func (st *Stream) append(frame []byte) {
	if len(frame) == 0 {
		return
	}
	if len(st.queue) == 0 {
		st.queue, st.moved = st.few[:0], st.server.tick.Load()
	}
	st.queue = append(st.queue, frame)
	st.count(frame, true)
}

// engage makes the caller the one who is busy with the stream, unless somebody is. The lock is held.
func (st *Stream) engage() bool {
	if st.busy {
		return false
	}
	st.busy = true
	return true
}

// stop makes the stream be over. The caller, if told true, wakes it: whoever is busy with it closes it. The lock is held.
func (st *Stream) stop(why cause) (wake bool) {
	if st.over {
		return false
	}
	st.over, st.why = true, why
	if st.attached && st.raw == nil {
		// Ends a write that waits for the client.
		_ = st.conn.SetDeadline(time.Unix(1, 0))
	}
	return st.engage()
}

// drop stops the stream from outside.
func (st *Stream) drop(why cause) {
	st.mu.Lock()
	wake := st.stop(why)
	st.mu.Unlock()
	if wake {
		st.server.wake(st)
	}
}

// retryDisplaced goes with the end of a stream that another of its key has displaced, in milliseconds: who has more
// windows than streams sees them take turns, and seldom.
const retryDisplaced = "retry: 30000\n\n"

// displace ends the stream for another of its key.
func (st *Stream) displace() {
	st.server.displaced.Add(1)
	st.server.Metrics.displaced(st)
	if !st.giveUp() {
		st.End([]byte(retryDisplaced))
	}
}

// giveUp is true where the stream has no connection yet, and then will not have one.
func (st *Stream) giveUp() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.attached && !st.over {
		st.abandon()
	}
	return !st.attached
}

// writable is epoll's word that the socket has room.
func (st *Stream) writable() {
	st.mu.Lock()
	st.woken = true
	st.blocked = false
	wake := (len(st.queue) > 0 || st.ending) && st.engage()
	st.mu.Unlock()
	if wake {
		st.server.wake(st)
	}
}

// took takes n bytes off the queue's front. Only who is busy calls it, with the lock held.
func (st *Stream) took(n int) {
	if n == 0 {
		return
	}
	st.server.Metrics.sent(st, n)
	st.moved = st.server.tick.Load()
	st.sent += n
	whole := 0
	for whole < len(st.queue) && st.sent >= len(st.queue[whole]) {
		st.sent -= len(st.queue[whole])
		st.count(st.queue[whole], false)
		whole++
	}
	if whole == len(st.queue) {
		st.queue, st.few = nil, [2][]byte{}
		return
	}
	rest := copy(st.queue, st.queue[whole:])
	clear(st.queue[rest:])
	st.queue = st.queue[:rest]
}
