package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	protocodec "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	grpcpeer "google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// streamMethod is the one call that nodes make; the others of the service panic.
const streamMethod = "/remote.Remoting/Receive"

// serveUnary refuses: nodes make no such calls.
func (l *lines) serveUnary(ctx context.Context, _ any, info *grpc.UnaryServerInfo, _ grpc.UnaryHandler) (any, error) {
	var from net.Addr
	if p, ok := grpcpeer.FromContext(ctx); ok {
		from = p.Addr
	}
	l.refuse(from, "a call that nodes do not make: "+info.FullMethod)
	return nil, status.Error(codes.Unimplemented, "nodes do not make this call")
}

// serveStream lets protoactor read what another node says, as far as it may. Whatever is wrong ends this stream alone.
func (l *lines) serveStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	from, ok := grpcpeer.FromContext(stream.Context())
	if !ok || info.FullMethod != streamMethod {
		return status.Error(codes.Unimplemented, "nodes do not make this call")
	}
	defer func() {
		if r := recover(); r != nil {
			l.refuse(from.Addr, "panic")
			// Not what it panicked with: that may be of a message.
			l.log.Error("panic while reading from another node: its stream ends", "panic", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
			err = status.Error(codes.Internal, "panic")
		}
	}()
	s := &incoming{ServerStream: stream, visitor: from.AuthInfo.(caller).visitor}
	s.own = l.Advertise
	if s.own == "" {
		s.own = from.LocalAddr.String()
	}
	err = next(srv, s)
	if l.parted != nil && s.from != "" {
		l.parted(s.from)
	}
	var why refusal
	switch {
	case errors.As(s.refused, &why):
		l.refuse(from.Addr, string(why))
		err = status.Error(codes.InvalidArgument, why.Error())
	case err == nil || errors.Is(s.ended, io.EOF):
	case s.ended == nil:
		l.refuse(from.Addr, "not readable") // protoactor could not parse it
	case status.Code(s.ended) == codes.Internal || status.Code(s.ended) == codes.ResourceExhausted || status.Code(s.ended) == codes.Unimplemented:
		l.refuse(from.Addr, "too large, or not readable")
	}
	return err
}

// incoming is a stream that another node has opened.
type incoming struct {
	grpc.ServerStream
	conversation
	visitor *visitor
	// ended is what the stream ended with, refused what is wrong with a message that came over it.
	ended, refused error
}

// RecvMsg is the next message that protoactor may have.
func (s *incoming) RecvMsg(m any) error {
	if s.ended = s.ServerStream.RecvMsg(m); s.ended != nil {
		return s.ended
	}
	said, ok := m.(*remote.RemoteMessage)
	if !ok {
		s.refused = badKind
		return s.refused
	}
	first := s.from == ""
	if s.refused = s.take(said); s.refused == nil && first && !s.visitor.settle() {
		s.refused = tooManyVisitors
	}
	return s.refused
}

// refuse counts, and now and then logs, that somebody sent what no node sends.
func (l *lines) refuse(from net.Addr, why string) {
	if l.refused != nil {
		l.refused()
	}
	if more, now := l.refusals.now(); now {
		l.log.Warn("refused on the nodes' port", "from", fmt.Sprint(from), "why", why, "more", more)
	}
}

// seldomInterval is how often the same thing is logged.
const seldomInterval = 10 * time.Second

// seldom lets one of many by.
type seldom struct {
	mu   sync.Mutex
	last time.Time
	held int
}

// now says whether it is time, and how many have been held back since the last time.
func (s *seldom) now() (held int, now bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.last.IsZero() && time.Since(s.last) < seldomInterval {
		s.held++
		return 0, false
	}
	held, s.held, s.last = s.held, 0, time.Now()
	return held, true
}

// codec is protobuf's, but looks at how many parts a message has before it makes room for them: an empty one takes 2 bytes
// on the wire and some 150 in memory.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2(protocodec.Name)} }

// Unmarshal one message.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(*remote.RemoteMessage)
	if !ok {
		return c.CodecV2.Unmarshal(data, v) // of a call that is refused: see serveUnary
	}
	whole := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer whole.Free()
	return unmarshal(whole.ReadOnlyData(), m)
}

func unmarshal(raw []byte, m *remote.RemoteMessage) error {
	if err := frame(raw); err != nil {
		return err
	}
	return proto.Unmarshal(raw, m)
}

// Fields of protoactor's messages.
const (
	batchField  protowire.Number = 1 // of RemoteMessage
	headerField protowire.Number = 6 // of MessageEnvelope
	envelopes   protowire.Number = 3 // of MessageBatch
)

// frame counts what a message on the wire consists of.
func frame(raw []byte) error {
	var messages, pieces int
	return parts(raw, func(n protowire.Number, value []byte) error {
		// A second one would be added to the first.
		if messages++; messages > 1 {
			return tooMany
		}
		if n != batchField {
			return nil
		}
		return parts(value, func(n protowire.Number, value []byte) error {
			if pieces++; pieces > 4*batchMessagesMax { // envelopes, targets, senders, types
				return tooMany
			}
			if n != envelopes {
				return nil
			}
			return parts(value, func(n protowire.Number, _ []byte) error {
				if n == headerField {
					return withHeaders
				}
				return nil
			})
		})
	})
}
