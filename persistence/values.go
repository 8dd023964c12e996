package persistence

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"boxoffice/messages"
)

// SQLSTATEs, and the first two letters of those of all broken constraints.
const (
	uniqueViolation  = "23505"
	deadlockDetected = "40P01"
	integrityClass   = "23"
)

// notNull is b, as a bytea that is empty rather than null.
func notNull(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// orNull is null for the zero id.
func orNull(id [16]byte) []byte {
	if id == [16]byte{} {
		return nil
	}
	return id[:]
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

const orderStatusPrefix = "ORDER_STATUS_"

// orderStatusName is the contract's name of the status, which the tables use too.
func orderStatusName(s messages.OrderStatus) (string, error) {
	if _, ok := messages.OrderStatus_name[int32(s)]; !ok || s == messages.OrderStatus_ORDER_STATUS_UNSPECIFIED {
		return "", fmt.Errorf("order status %d", s)
	}
	return strings.TrimPrefix(s.String(), orderStatusPrefix), nil
}

func orderStatusOf(name string) (messages.OrderStatus, error) {
	v, ok := messages.OrderStatus_value[orderStatusPrefix+name]
	if !ok {
		return 0, fmt.Errorf("order status %q", name)
	}
	return messages.OrderStatus(v), nil
}

const eventStatusPrefix = "EVENT_STATUS_"

func eventStatusName(s messages.EventStatus) string {
	return strings.TrimPrefix(s.String(), eventStatusPrefix)
}
