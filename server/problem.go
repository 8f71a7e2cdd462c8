package server

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/scheduler"
)

// Problem is an error as RFC 9457 has it, and what every route answers with when it fails. Package client reads it
// into its Error.
type Problem struct {
	Title  string                `json:"title" doc:"the status in words"`
	Status int                   `json:"status" doc:"the HTTP status"`
	Detail string                `json:"detail" doc:"what happened, and where"`
	Hint   string                `json:"hint,omitempty" doc:"what to do about it"`
	ID     string                `json:"id,omitempty" doc:"of a mistake of ours: the daemon's log has more under this id"`
	Errors []client.FieldProblem `json:"errors,omitempty" doc:"what is wrong with which part of the request"`

	retry time.Duration // after which another try makes sense; 0: none is promised
}

var (
	_ huma.StatusError       = (*Problem)(nil)
	_ huma.ContentTypeFilter = (*Problem)(nil)
	_ huma.HeadersError      = (*Problem)(nil)
)

// Error returns the detail.
func (p *Problem) Error() string { return p.Detail }

// GetStatus returns the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType makes JSON of it problem+json.
func (p *Problem) ContentType(string) string { return problemType }

const problemType = "application/problem+json"

func problem(status int, detail, hint string) *Problem {
	return &Problem{Title: http.StatusText(status), Status: status, Detail: detail, Hint: hint}
}

// useProblems makes huma's own errors (input that does not validate) problems of ours. It is a variable of huma's
// package, so it is set once for the process.
var useProblems = sync.OnceFunc(func() {
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		p := problem(status, msg, "")
		if msg == "validation failed" {
			p.Detail = "the request does not fit its description"
			p.Hint = "GET /openapi.json describes every request"
		}
		for _, err := range errs {
			var detailer huma.ErrorDetailer
			if errors.As(err, &detailer) { // its value stays out: it may be a secret, sent to the wrong field
				d := detailer.ErrorDetail()
				p.Errors = append(p.Errors, client.FieldProblem{Location: d.Location, Message: d.Message})
			} else if err != nil {
				p.Errors = append(p.Errors, client.FieldProblem{Message: err.Error()})
			}
		}
		return p
	}
})

// problemOf maps an error of the packages below to a status. Only an error that nobody foresaw is ours: 500.
func problemOf(err error) *Problem {
	var known *Problem
	var field *config.FieldError
	var refused *RefusedError
	var conflict *scheduler.ConflictError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &field):
		return fieldProblems(err, "the project's settings are not right", apiField)
	case errors.As(err, &refused):
		return problem(http.StatusUnprocessableEntity, refused.Reason, "")
	case errors.As(err, &conflict):
		return problem(http.StatusConflict, conflict.What, conflict.Hint)
	case errors.Is(err, scheduler.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return problem(http.StatusNotFound, err.Error(), "")
	case errors.Is(err, scheduler.ErrManagedByFile), errors.Is(err, scheduler.ErrEnded):
		return problem(http.StatusConflict, err.Error(), "")
	case errors.Is(err, scheduler.ErrDraining):
		return problem(http.StatusServiceUnavailable, err.Error(), "runner drain --off lets it take work again")
	case diskFull(err):
		return fullProblem()
	}
	return problem(http.StatusInternalServerError, err.Error(), "the daemon's log has more under this id")
}

// fieldProblems lists every setting that is wrong, by the name that the API has for it.
func fieldProblems(err error, detail string, nameOf func(field string) string) *Problem {
	p := problem(http.StatusUnprocessableEntity, detail, "")
	var walk func(error)
	walk = func(err error) {
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			for _, one := range many.Unwrap() {
				walk(one)
			}
			return
		}
		var field *config.FieldError
		if !errors.As(err, &field) {
			p.Errors = append(p.Errors, client.FieldProblem{Message: err.Error()})
			return
		}
		text := field.Message
		if field.Hint != "" {
			text += " (" + field.Hint + ")"
		}
		p.Errors = append(p.Errors, client.FieldProblem{Location: "body." + nameOf(field.Field), Message: text})
	}
	walk(err)
	return p
}

// apiFields are the settings that the API calls something else than runner.yml does.
var apiFields = map[string]string{
	"webhook-secret": "webhookSecret", "ssh-key": "sshKey", "known-hosts": "knownHosts", "max-jobs": "maxJobs",
	"parameter-store": "parameters", "secrets-manager": "secrets", "parameters": "buildParameters",
	"limits.cpus": "cpus", "limits.memory": "memoryBytes", "limits.pids": "pids",
	"limits.disk": "diskBytes", "limits.files": "files", "limits.log": "logBytes", "limits.artifacts": "artifactBytes",
	"limits.cache": "cacheBytes", "limits.reports": "reportBytes", "limits.jobs": "jobs",
	"limits.timeout": "timeoutSeconds", "limits.queue-timeout": "queueTimeoutSeconds",
}

func apiField(field string) string {
	if name, ok := apiFields[field]; ok {
		return name
	}
	if setting, name, below := strings.Cut(field, "."); below && apiFields[setting] != "" {
		return apiFields[setting] + "." + name
	}
	return strings.TrimPrefix(field, "project.")
}

// writeProblem writes a problem outside of huma.
func writeProblem(w http.ResponseWriter, p *Problem) {
	text, err := json.Marshal(p)
	if err != nil {
		text = []byte("{}")
	}
	w.Header().Set("Content-Type", problemType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	w.Write(append(text, '\n'))
}
