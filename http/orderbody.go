package http

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"boxoffice/messages"
)

const (
	blockedSeatsMax = 200_000
	// blockedBytesMax bounds the body that names them to what nodes can send each other with room to spare: as many ids of 36
	// bytes. As protobuf a list of texts is no longer than as JSON.
	blockedBytesMax = 7_864_320
	nameBytesMax    = 255
)

type eventBody struct {
	EventID string `json:"eventId"`
}

type bestAvailableBody struct {
	Quantity *quantity `json:"quantity"`
	Category *string   `json:"category"`
	Section  *string   `json:"section"`
}

// quantity is a number of seats. What is more than it can hold is as much as it can hold: too many in any case, which is
// the engine's to say and no fault of form.
type quantity uint32

var errNoQuantity = errors.New("no quantity of seats")

// UnmarshalJSON takes whole numbers; those that fit are spelt without fraction or exponent.
func (q *quantity) UnmarshalJSON(b []byte) error {
	if n, err := strconv.ParseUint(string(b), 10, 32); err == nil {
		*q = quantity(n)
		return nil
	}
	// Out of range it is infinite, and no error to us.
	if f, _ := strconv.ParseFloat(string(b), 64); f <= math.MaxUint32 || f != math.Trunc(f) {
		return errNoQuantity
	}
	*q = math.MaxUint32
	return nil
}

type wantBody struct {
	Seats         []string           `json:"seats"`
	BestAvailable *bestAvailableBody `json:"bestAvailable"`
}

type confirmBody struct {
	Seats         []string           `json:"seats"`
	BestAvailable *bestAvailableBody `json:"bestAvailable"`
	PaymentToken  string             `json:"paymentToken"`
}

type seatsBody struct {
	Seats []string `json:"seats"`
}

type emptyBody struct{}

func parseEventBody(body []byte) (eventID string, faults []*messages.Fault) {
	var b eventBody
	if faults = decode(body, &b, depthMax, ""); faults != nil {
		return "", faults
	}
	if !validEventID(b.EventID) {
		return "", []*messages.Fault{fault("eventId", "must be an event's id: 1 to 64 of A-Z a-z 0-9 _ -")}
	}
	return b.EventID, nil
}

func parseReserve(body []byte) (*messages.Want, []*messages.Fault) {
	var b wantBody
	if faults := decode(body, &b, depthMax, ""); faults != nil {
		return nil, faults
	}
	if b.Seats == nil && b.BestAvailable == nil {
		return nil, []*messages.Fault{fault("seats", "name seats or bestAvailable")}
	}
	return want(b.Seats, b.BestAvailable)
}

// parseConfirm brings a nil want where the held seats are meant.
func parseConfirm(body []byte) (w *messages.Want, token string, faults []*messages.Fault) {
	var b confirmBody
	if faults = decode(body, &b, depthMax, ""); faults != nil {
		return nil, "", faults
	}
	if b.Seats != nil || b.BestAvailable != nil {
		w, faults = want(b.Seats, b.BestAvailable)
	}
	if f := textFault("paymentToken", b.PaymentToken); f != nil {
		faults = append(faults, f)
	}
	return w, b.PaymentToken, faults
}

func parseNothing(body []byte) []*messages.Fault { return decode(body, &emptyBody{}, depthMax, "") }

func parseBlock(body []byte) ([]string, []*messages.Fault) {
	var b seatsBody
	if faults := decode(body, &b, depthMax, ""); faults != nil {
		return nil, faults
	}
	if len(b.Seats) > blockedSeatsMax {
		return nil, []*messages.Fault{fault("seats", fmt.Sprintf("must not name more than %d seats", blockedSeatsMax))}
	}
	return b.Seats, seatFaults(b.Seats)
}

// want hands on as many seats and as long names as the body's limit lets through: that there are no such seats, or too
// many, is for the engine to say.
func want(seats []string, best *bestAvailableBody) (*messages.Want, []*messages.Fault) {
	if best == nil {
		return &messages.Want{Seats: seats}, seatFaults(seats)
	}
	var faults []*messages.Fault
	if seats != nil {
		faults = append(faults, fault("bestAvailable", "seats and bestAvailable exclude each other"))
	}
	if best.Quantity == nil {
		faults = append(faults, fault("bestAvailable.quantity", "is required"))
	} else if *best.Quantity == 0 {
		faults = append(faults, fault("bestAvailable.quantity", "must be at least 1"))
	}
	w := &messages.Want{}
	if best.Quantity != nil {
		w.Quantity = uint32(*best.Quantity)
	}
	for _, name := range []struct {
		field    string
		from, to *string
	}{{"bestAvailable.category", best.Category, &w.Category}, {"bestAvailable.section", best.Section, &w.Section}} {
		if name.from == nil {
			continue
		}
		if *name.from == "" {
			faults = append(faults, textFault(name.field, ""))
		}
		*name.to = *name.from
	}
	return w, faults
}

func seatFaults(seats []string) (faults []*messages.Fault) {
	if len(seats) == 0 {
		return []*messages.Fault{fault("seats", "must name at least one seat")}
	}
	for i, s := range seats {
		if s != "" {
			continue
		}
		if faults = append(faults, textFault(fmt.Sprintf("seats[%d]", i), s)); len(faults) == faultsMax {
			break
		}
	}
	return faults
}

// textFault is nil for a text of 1 to 255 bytes.
func textFault(field, s string) *messages.Fault {
	switch {
	case s == "":
		return fault(field, "is required")
	case len(s) > nameBytesMax:
		return fault(field, fmt.Sprintf("must not be longer than %d bytes", nameBytesMax))
	}
	return nil
}
