package http

import "boxoffice/messages"

// problem is an error answer in the making: a value, so that handlers return it and one place writes it.
type problem struct {
	code   code
	detail string
	// retryAfter in seconds; 0: no such header.
	retryAfter int
	// allow lists the methods that a 405 offers.
	allow string
	// more holds the members that the code adds, rendered: each begins with a comma.
	more []byte
	// cause is for the log alone.
	cause error
}

// retryAfterSeconds is what we tell clients to wait where we know no better: the pauses of a fail-over are this short.
const retryAfterSeconds = 1

// answersRetryAfterSeconds goes with a session's full store of answers, which empties by the hour.
const answersRetryAfterSeconds = 3600

func newProblem(c code, detail string) *problem { return &problem{code: c, detail: detail} }

func invalid(faults ...*messages.Fault) *problem {
	p := newProblem(codeInvalidRequest, "The request is not valid: see errors.")
	p.more = append(p.more, `,"errors":[`...)
	for i, f := range faults {
		if i > 0 {
			p.more = append(p.more, ',')
		}
		p.more = append(p.more, `{"field":`...)
		p.more = appendString(p.more, f.GetField())
		p.more = append(p.more, `,"message":`...)
		p.more = appendString(p.more, f.GetMessage())
		p.more = append(p.more, '}')
	}
	p.more = append(p.more, ']')
	return p
}

func fault(field, message string) *messages.Fault {
	return &messages.Fault{Field: field, Message: message}
}

func notFound() *problem { return newProblem(codeNotFound, "There is nothing under this address.") }

func unavailable(cause error) *problem {
	p := newProblem(codeUnavailable, "Something that we need is away. Try again in a moment.").retry(retryAfterSeconds)
	p.cause = cause
	return p
}

func internal(cause error) *problem {
	p := newProblem(codeInternal, "This is our fault. Nothing was changed.")
	p.cause = cause
	return p
}

func (p *problem) status() int { return kindOf[p.code].status }

func (p *problem) retry(seconds int) *problem {
	p.retryAfter = seconds
	return p
}

func (p *problem) name(member string) *problem {
	p.more = append(p.more, ',', '"')
	p.more = append(p.more, member...)
	p.more = append(p.more, '"', ':')
	return p
}

func (p *problem) withString(member, value string) *problem {
	p.more = appendString(p.name(member).more, value)
	return p
}

func (p *problem) withStrings(member string, values []string) *problem {
	p.more = appendStrings(p.name(member).more, values)
	return p
}

func (p *problem) withInt(member string, value int64) *problem {
	p.more = appendInt(p.name(member).more, value)
	return p
}

func (p *problem) withTime(member string, ms int64) *problem {
	p.more = appendTime(p.name(member).more, ms)
	return p
}

// append renders the problem as RFC 9457 has it.
func (p *problem) append(b []byte, instance string) []byte {
	k := kindOf[p.code]
	b = append(b, `{"type":"/problems/`...)
	b = append(b, p.code...)
	b = append(b, `","title":`...)
	b = appendString(b, k.title)
	b = append(b, `,"status":`...)
	b = appendInt(b, int64(k.status))
	b = append(b, `,"detail":`...)
	b = appendString(b, p.detail)
	b = append(b, `,"instance":`...)
	b = appendString(b, instance)
	b = append(b, `,"code":"`...)
	b = append(b, p.code...)
	b = append(b, '"')
	b = append(b, p.more...)
	return append(b, '}')
}
