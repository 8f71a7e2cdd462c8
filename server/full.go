package server

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// fullPause is after how long a request is worth another try that a full disk made fail. The daemon makes room by itself
// within that time where it has something to evict.
const fullPause = 30 * time.Second

// diskFull tells whether something could not be stored for lack of space. The database hands some of the system's errors
// on as text alone.
func diskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) ||
		strings.Contains(err.Error(), syscall.ENOSPC.Error()) || strings.Contains(err.Error(), syscall.EDQUOT.Error())
}

// fullProblem is what a client is told then: forges and proxies repeat what was answered 503, and nothing of it was kept.
func fullProblem() *Problem {
	p := problem(http.StatusServiceUnavailable, "the daemon's disk is full, so nothing of this was stored",
		"make room below the daemon's data directory, then send it again")
	p.retry = fullPause
	return p
}

// GetHeaders are those of the answer beside its content.
func (p *Problem) GetHeaders() http.Header {
	if p.retry == 0 {
		return nil
	}
	return http.Header{"Retry-After": {strconv.Itoa(int(p.retry.Seconds()))}}
}
