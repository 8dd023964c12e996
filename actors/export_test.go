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
	SnapshotEntries      = snapshotEntries

	QuarantineMin time.Duration = quarantineMin
	IdleAfter     time.Duration = idleAfter
	GraceAfterEnd time.Duration = graceAfterEnd
)

// SnapshotEvery lets a projector write snapshots more often, so that short runs have some.
func (p *Projector) SnapshotEvery(entries uint64) { p.snapshotEvery = entries }
