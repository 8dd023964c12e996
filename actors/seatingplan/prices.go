package seatingplan

import (
	"fmt"
	"maps"
	"slices"

	"boxoffice/messages"
)

// priceMax in minor units: a ticket of ten million. The most seats of an order at this price are far from overflowing.
const priceMax = 1_000_000_000

// CheckPrices returns the prices by category index, in minor units of the event's currency. Every category of the plan
// needs one, 0 to priceMax, also where no seat has it (yet): the event shows a price beside each. A price for a category
// that the plan does not have is refused as well, for it is a misspelt name. Errors are *messages.InvalidInputError with
// paths like prices["Kategorie II"].
func CheckPrices(plan *messages.SeatingPlan, prices map[string]int64) ([]int64, error) {
	var found faults
	byCategory := make([]int64, len(plan.GetCategories()))
	known := make(map[string]bool, len(byCategory))
	for i, c := range plan.GetCategories() {
		known[c.GetName()] = true
		price, given := prices[c.GetName()]
		switch {
		case !given:
			found.add(pricePath(c.GetName()), "is missing: every category needs a price")
		case price < 0 || price > priceMax:
			found.add(pricePath(c.GetName()), fmt.Sprintf("is %d, not 0 to %d", price, int64(priceMax)))
		default:
			byCategory[i] = price
		}
	}
	for _, name := range slices.Sorted(maps.Keys(prices)) {
		if !known[name] {
			found.add(pricePath(name), "is not a category of the seating plan")
		}
	}
	if err := found.err(); err != nil {
		return nil, err
	}
	return byCategory, nil
}

func pricePath(category string) string { return fmt.Sprintf("prices[%q]", category) }
