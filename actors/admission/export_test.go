package admission

// What tests need to know of the inside.
const (
	GapMin            = gapMin
	GapMax            = gapMax
	RetryMin          = retryMin
	RetryMax          = retryMax
	PullPauseMin      = pullPauseMin
	PullPauseMax      = pullPauseMax
	IdleAfter         = idleAfter
	HeldMax           = heldMax
	RateWindow        = rateWindow
	PublishEvery      = publishEvery
	PauseAfterFailure = pauseAfterFailure
	GraceAfterEnd     = graceAfterEnd
	AdmitTimeout      = admitTimeout
)
