package persistence

import (
	"boxoffice/actors/admission"
	"boxoffice/http"
)

// What the consumers ask for.
var (
	_ admission.Demand   = (*Redis)(nil)
	_ http.Subscriptions = (*Redis)(nil)
	_ http.Rates         = (*Redis)(nil)
)
