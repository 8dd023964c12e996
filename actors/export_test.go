package actors

import "time"

// What tests need to know of the inside.
const (
	BatchCommandsMax     = batchCommandsMax
	CallerWaitMillisMax  = callerWaitMillisMax
	OperationLeaseMillis = operationLeaseMillis
	ProjectPauseMillis   = projectPauseMillis
	ExpirePauseMillis    = expirePauseMillis
	RetryMillisMin       = retryMillisMin
	RetryMillisMax       = retryMillisMax
	BugPauseMillis       = bugPauseMillis
	ExpireFactsMax       = expireFactsMax
	ProjectPauseMax      = projectPauseMillisMax
	SnapshotEntries      = snapshotEntries

	ActivateTimeout time.Duration = activateTimeout
	ProjectTimeout  time.Duration = projectTimeout

	QuarantineMin time.Duration = quarantineMin
	IdleAfter     time.Duration = idleAfter
	GraceAfterEnd time.Duration = graceAfterEnd
)

// ErrStalled is why a watchdog ended what it watched.
var ErrStalled = errStalled

// SnapshotEvery lets a projector write snapshots more often, so that short runs have some.
func (p *Projector) SnapshotEvery(entries uint64) { p.snapshotEvery = entries }
