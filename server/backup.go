package server

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// routeBackup adds what an admin saves a daemon with.
func (a *api) routeBackup() {
	add(a, huma.Operation{
		OperationID: "backup", Method: http.MethodGet, Path: "/api/v1/daemon/backup", Tags: []string{"daemon"},
		Summary:     "A backup of the daemon's state, logs, artifacts and sealed secrets, as a tar",
		Description: "It is taken while builds run. The key of the secret store, the daemon's own token, caches, mirrors and snapshots are not in it; hashes of other tokens and the audit log are. runner restore checks it and lays it out. An answer that breaks off is no backup.",
		Responses:   streamed("application/x-tar"),
		Errors:      []int{http.StatusConflict},
	}, func(ctx context.Context, _ *struct{}) (*huma.StreamResponse, error) {
		if a.Backup == nil {
			return nil, problem(http.StatusConflict, "this daemon is of one build, and keeps nothing to save", "")
		}
		by := callerOf(ctx)
		return &huma.StreamResponse{Body: func(hctx huma.Context) { a.sendBackup(ctx, hctx, by) }}, nil
	})
}

func (a *api) sendBackup(ctx context.Context, hctx huma.Context, by string) {
	if hctx.Method() == http.MethodHead {
		hctx.SetHeader("Content-Type", "application/x-tar") // taking a backup to show its header would be dear
		return
	}
	began := time.Now()
	out := &lateStream{hctx: hctx, name: fmt.Sprintf("runner-%s.tar", began.UTC().Format("20060102-150405"))}
	buffered := bufio.NewWriterSize(out, streamBlock)
	err := a.Backup(ctx, buffered)
	if err == nil {
		err = buffered.Flush()
	}
	switch {
	case err == nil:
		a.Logger.Info("a backup was written", "by", by, "took", time.Since(began).Round(time.Millisecond))
	case out.stream == nil:
		a.Logger.Error("no backup could be taken", "by", by, "error", err)
		_, w := humago.Unwrap(hctx)
		writeProblem(w, problem(http.StatusConflict, "no backup could be taken: "+err.Error(), ""))
	default:
		a.Logger.Error("a backup broke off", "by", by, "error", err)
		breakOff()
	}
}

// lateStream begins its answer with the first block, so that what fails before it can be told of.
type lateStream struct {
	hctx   huma.Context
	name   string
	stream *stream
}

func (l *lateStream) Write(p []byte) (int, error) {
	if l.stream == nil {
		l.hctx.SetHeader("Content-Type", "application/x-tar")
		l.hctx.SetHeader("Content-Disposition", "attachment; filename="+l.name)
		l.stream = newStream(l.hctx)
		if err := l.stream.start(http.StatusOK); err != nil {
			return 0, err
		}
	}
	return l.stream.Write(p)
}
