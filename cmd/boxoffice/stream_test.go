package main_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	nethttp "net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// streamBufferBytes is small: a test listens to thousands.
	streamBufferBytes = 512
	// frameBytesMax is above what any event of ours takes.
	frameBytesMax = 64 << 10
	// toldMax bounds what a listener keeps.
	toldMax = 100_000
)

// told is one event of a stream.
type told struct {
	name, id string
	data     []byte
	at       time.Time // when its last byte was here
}

// stream is an event stream, read by a goroutine of its own until either side ends it.
type stream struct {
	conn  net.Conn
	ended chan struct{}
	err   error // why; io.EOF where the server has closed it. Read it after ended.
	retry int   // ms that the server asked to wait before the next, as said last. Read it after ended.
}

// refusedStreamError is an answer other than a stream.
type refusedStreamError struct{ answer }

func (e *refusedStreamError) Error() string {
	return fmt.Sprintf("%s: no stream: %d %s", e.call, e.status, e.body)
}

// listen opens a stream and hands on each of its events, one after the other; heard must not block for long. bearer may be
// empty.
func (s *server) listen(path, bearer string, heard func(told)) (*stream, error) {
	if bearer != "" {
		return s.listenWith(path, "Authorization: Bearer "+bearer+"\r\n", heard)
	}
	return s.listenWith(path, "", heard)
}

// resume a stream behind the event that was heard last, as a browser does; "" for a stream from its beginning.
func (s *server) resume(path, lastEventID string, heard func(told)) (*stream, error) {
	if lastEventID != "" {
		return s.listenWith(path, "Last-Event-ID: "+lastEventID+"\r\n", heard)
	}
	return s.listenWith(path, "", heard)
}

func (s *server) listenWith(path, header string, heard func(told)) (*stream, error) {
	public, _ := s.at()
	host := strings.TrimPrefix(public, "http://")
	ctx, cancel := context.WithTimeout(context.Background(), answerMax)
	defer cancel()
	conn, err := s.dial(ctx, "tcp", host)
	if err != nil {
		return nil, err
	}
	st := &stream{conn: conn, ended: make(chan struct{})}
	lines, err := st.open(host, path, header)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	go func() {
		defer close(st.ended)
		defer conn.Close()
		st.err = st.readEvents(lines, heard)
	}()
	return st, nil
}

// open asks for the stream and reads the head of the answer.
func (st *stream) open(host, path, header string) (*bufio.Reader, error) {
	_ = st.conn.SetDeadline(time.Now().Add(answerMax))
	if _, err := fmt.Fprintf(st.conn, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n%s\r\n", path, host, header); err != nil {
		return nil, err
	}
	response, err := nethttp.ReadResponse(bufio.NewReaderSize(st.conn, streamBufferBytes), nil) //nolint:bodyclose // the connection is closed
	if err != nil {
		return nil, err
	}
	if response.StatusCode != 200 {
		body, err := io.ReadAll(response.Body)
		return nil, &refusedStreamError{answer{
			call: "GET " + strings.SplitN(path, "?", 2)[0], status: response.StatusCode, header: response.Header, body: body, err: err,
		}}
	}
	for name, want := range map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"} {
		if got := response.Header.Get(name); !strings.HasPrefix(got, want) {
			return nil, fmt.Errorf("GET %s: %s is %q", path, name, got)
		}
	}
	return bufio.NewReaderSize(response.Body, streamBufferBytes), st.conn.SetDeadline(time.Time{})
}

// readEvents until the stream ends, or does not keep to the contract: retry comes first, and each event has an id.
func (st *stream) readEvents(lines *bufio.Reader, heard func(told)) (err error) {
	var event told
	retry, size := false, 0
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return err
		}
		if size += len(line); size > frameBytesMax {
			return fmt.Errorf("an event of more than %d bytes", frameBytesMax)
		}
		line = bytes.TrimRight(line, "\r\n")
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "retry":
			if st.retry, err = strconv.Atoi(string(value)); err != nil {
				return err
			}
			retry = true
		case "event":
			event.name = string(value)
		case "id":
			event.id = string(value)
		case "data":
			event.data = append(event.data, value...)
		case "": // a comment, or the end of an event
			if len(line) > 0 {
				continue
			}
			if event.name != "" {
				if event.id == "" || !retry || !json.Valid(event.data) {
					return fmt.Errorf("the event %q with id %q, after a retry: %v, says %s", event.name, event.id, retry, event.data)
				}
				event.at = time.Now()
				heard(event)
			}
			event, size = told{}, 0
		default:
			return fmt.Errorf("the stream has a line %q", line)
		}
	}
}

// close the stream from this side, and wait until nothing is heard any more.
func (st *stream) close() {
	_ = st.conn.Close()
	<-st.ended
}

// ear keeps what a stream tells.
type ear struct {
	*stream
	mu  sync.Mutex
	all []told
}

// hear a stream until the test ends.
func (s *server) hear(t testing.TB, path, bearer string) *ear {
	t.Helper()
	e := &ear{}
	st, err := s.listen(path, bearer, func(event told) {
		e.mu.Lock()
		defer e.mu.Unlock()
		if len(e.all) < toldMax {
			e.all = append(e.all, event)
		}
	})
	must(t, err)
	e.stream = st
	t.Cleanup(st.close)
	return e
}

// hear is the stream of a session.
func (b buyer) hear(t testing.TB) *ear {
	t.Helper()
	return b.s.hear(t, "/api/sse/waiting-room/sessions/"+b.sessionID, "")
}

// told are the events until now.
func (e *ear) told() []told {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]told(nil), e.all...)
}

// untilTold waits for an event, by its name, for which is is nil.
func (e *ear) untilTold(t testing.TB, name string, is func(told) error) (found told) {
	t.Helper()
	until(t, patience, func() error {
		last := errors.New("nothing of the kind")
		for _, event := range e.told() {
			if event.name != name {
				continue
			}
			if last = is(event); last == nil {
				found = event
				return nil
			}
		}
		select {
		case <-e.ended:
			return fmt.Errorf("the stream has ended without %s: %w", name, errors.Join(e.err, last))
		default:
		}
		return fmt.Errorf("not told %s, only %s: %w", name, e, last)
	})
	return found
}

func anything(told) error { return nil }

// String is what was told last.
func (e *ear) String() string {
	all := e.told()
	var b strings.Builder
	for _, event := range all[max(0, len(all)-5):] {
		fmt.Fprintf(&b, "%s %s; ", event.name, event.data)
	}
	return b.String()
}
