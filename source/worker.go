package source

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// request is what the child is asked to do: one JSON value on its standard input. What follows it is silence, and
// the end of that means that the parent is gone.
type request struct {
	Op     string `json:"op"`
	Dir    string `json:"dir"` // of the store
	Memory int64  `json:"memory,omitempty"`

	URL     string  `json:"url"`
	Remote  *Remote `json:"remote,omitempty"`
	Want    Want    `json:"want,omitzero"`
	Tips    bool    `json:"tips,omitempty"`    // the commits of branches and tags are wanted
	Ask     bool    `json:"ask,omitempty"`     // ask the remote even if the mirror knows the answer
	Guarded bool    `json:"guarded,omitempty"` // the URL comes out of a repository: keep away from this machine

	Commit string `json:"commit,omitempty"`
	Path   string `json:"path,omitempty"`
	Ref    string `json:"ref,omitempty"`
	Max    int64  `json:"max,omitempty"`
	Since  Since  `json:"since,omitzero"`

	Target string   `json:"target,omitempty"`
	Kin    string   `json:"kin,omitempty"` // how the names of snapshots end that may lend files
	Files  int      `json:"files,omitempty"`
	Parts  []module `json:"parts,omitempty"`
	Depth  int      `json:"depth,omitempty"`

	here  bool   // done by the daemon itself
	shelf *shelf // its open packs

	Keep  string `json:"keep,omitempty"` // a day: older refs of refsKept and refsSubmit go
	Packs int    `json:"packs,omitempty"`
}

// open opens a mirror's objects.
func (r *request) open(ctx context.Context, m mirror) (*view, error) {
	if r.here {
		return r.shelf.open(ctx, m)
	}
	return m.open(ctx)
}

// response is what it answers: one JSON value on its standard output.
type response struct {
	Error    *errorReport `json:"error,omitempty"`
	Resolved *Resolved    `json:"resolved,omitempty"`
	Offer    *Offer       `json:"offer,omitempty"`
	Data     []byte       `json:"data,omitempty"`
	Change   *Change      `json:"change,omitempty"`
	IDs      []string     `json:"ids,omitempty"`
	Modules  []module     `json:"modules,omitempty"`
	Layout   *layout      `json:"layout,omitempty"`
	Problems []string     `json:"problems,omitempty"`
}

// operations are all that a child can do.
var operations = map[string]func(context.Context, *request) (*response, error){
	"ask":      ask,
	"fetch":    fetch,
	"read":     readFile,
	"pushed":   pushed,
	"change":   compareCommits,
	"lend":     lend,
	"modules":  listModules,
	"layout":   layOut,
	"receive":  receive,
	"spare":    makeSpare,
	"shallow":  shallow,
	"maintain": maintain,
	"check":    check,
}

func execute(ctx context.Context, req *request) (*response, error) {
	op, ok := operations[req.Op]
	if !ok {
		return nil, fmt.Errorf("the source worker knows no operation %q: parent and child are of different versions", req.Op)
	}
	return op(ctx, req)
}

// maxRequest bounds a request in bytes.
const maxRequest = 64 << 20

// WorkerMain is the main function of the child process: it reads one request, limits itself, does it, and answers.
// Its result is the exit status: 0 if an answer was written, be it an error.
func WorkerMain(stdin io.Reader, stdout, stderr io.Writer) int {
	dec := json.NewDecoder(io.LimitReader(stdin, maxRequest))
	var req request
	if err := dec.Decode(&req); err != nil {
		fmt.Fprintf(stderr, "error: reading the request: %v\nhint: the daemon starts this command; it is not for people\n", err)
		return 2
	}
	out := &answer{w: stdout}
	if err := limitMemory(&req, out); err != nil {
		fmt.Fprintf(stderr, "error: limiting the memory of the source worker: %v\n", err)
		return 2
	}
	unix.Umask(0o022)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go exitWithParent(stdin)
	res, err := execute(ctx, &req)
	if err != nil {
		res = &response{Error: report(err)}
	}
	if err := out.give(res); err != nil {
		fmt.Fprintf(stderr, "error: writing the answer: %v\n", err)
		return 2
	}
	return 0
}

// exitWithParent ends the process when its standard input ends: nobody is left to answer to. Whatever it was doing
// is safe to stop anywhere.
func exitWithParent(stdin io.Reader) {
	_, _ = io.Copy(io.Discard, stdin)
	os.Exit(3)
}
