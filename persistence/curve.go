package persistence

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"boxoffice/messages"
)

// Counted by step; what is before the first counts to the one before it, and what a clock ahead of ours has written to the
// last. Tickets are no more than the hall has seats and are all read, so that no sale has an index more to write; of the
// sessions, who may be a million, only those of the window are. Prices come by the index where their run of seats begins.
const curveStatement = `
with n as materialized (
    select now, now / $3 as latest, (now - $2) / $3 as earliest from (select now_ms() as now offset 0) c)
select n.now, n.earliest, n.latest, coalesce(s.step, n.latest), coalesce(s.sold, 0), coalesce(s.revenue, 0), coalesce(s.admitted, 0)
from n
left join lateral (
    select greatest(least(t.issued_at / $3, n.latest), n.earliest - 1) as step, count(*) as sold,
        sum(($5::bigint[])[width_bucket(t.seat_index, $4::int[])])::bigint as revenue, 0 as admitted
    from ticket t
    where t.event_id = $1 and t.voided_at is null
    group by 1
    union all
    select least(a.admitted_at / $3, n.latest), 0, 0, count(*)
    from session a
    where a.event_id = $1 and a.admitted_at >= n.earliest * $3
    group by 1) s on true`

// Curve of the event's sale over the window until now, in steps. *messages.EventNotFoundError where there is none.
func (r *Records) Curve(ctx context.Context, eventID string, window, step time.Duration) (*messages.Curve, error) {
	op := fmt.Sprintf("read the curve of event %q", eventID)
	event, err := r.db.Catalogue().Event(ctx, eventID)
	if err != nil {
		return nil, err
	}
	plan, err := r.db.plan(ctx, eventID)
	if err != nil {
		return nil, err
	}
	starts, prices := plan.priceRuns(event)
	c := &messages.Curve{Currency: event.GetCurrency(), Step: step.Milliseconds()}
	rows, err := r.db.queries.Query(ctx, curveStatement, eventID, window.Milliseconds(), c.Step, starts, prices)
	if err != nil {
		return nil, r.db.failed(op, err)
	}
	var earliest, latest, at int64
	var p messages.CurvePoint
	_, err = pgx.ForEachRow(rows, []any{&c.AsOf, &earliest, &latest, &at, &p.Sold, &p.Revenue, &p.Admitted}, func() error {
		if c.Points == nil {
			c.Points = make([]messages.CurvePoint, latest-earliest+1)
		}
		into := &c.Before
		if at >= earliest {
			into = &c.Points[at-earliest]
		}
		into.Sold += p.Sold
		into.Revenue += p.Revenue
		into.Admitted += p.Admitted
		return nil
	})
	if err != nil {
		return nil, r.db.failed(op, err)
	}
	for i := range c.Points {
		c.Points[i].At = (earliest + int64(i)) * c.Step
	}
	return c, nil
}

// priceRuns are the seats in the plan's order, as runs that cost the same: where each begins, and its price.
func (p *plan) priceRuns(e *messages.Event) (starts []int32, prices []int64) {
	byName := make(map[string]int64, len(e.GetCategories()))
	for _, c := range e.GetCategories() {
		byName[c.GetName()] = c.GetPrice()
	}
	byCategory := make([]int64, len(p.Plan.GetCategories()))
	for i, c := range p.Plan.GetCategories() {
		byCategory[i] = byName[c.GetName()]
	}
	index := int32(0)
	for _, section := range p.Plan.GetSections() {
		for _, row := range section.GetRows() {
			for _, seat := range row.GetSeats() {
				price := byCategory[seat.GetCategory()]
				if len(prices) == 0 || prices[len(prices)-1] != price {
					starts, prices = append(starts, index), append(prices, price)
				}
				index++
			}
		}
	}
	return starts, prices
}
