package server

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runner-ci/runner/client"
)

// What a job left is shown to people as what it is: a report with its styles and scripts, an image. It is as hostile as the job, so
//
//  1. it is sent with a policy that makes it a page of no origin ("sandbox"): it reads no cookie, no storage and no page of ours, and
//     what it asks of us comes without the reader's session;
//  2. its policy lets it load what lies in the same set of files, and nothing else, from anywhere. It cannot be kept from telling that
//     it was looked at: browsers ask no policy about WebRTC, nor about where a page goes that is alone in a tab;
//  3. since it has no session, what it loads of its own is asked for below a ticket: a path that names one set, signed, for an hour or two.
//
// A page of ours may frame it and show it as an image, and load nothing of it: as a script it would run as us.

// previewPath is below what previews lie.
const previewPath = "/preview/"

// ticketAge is how long a ticket holds at least; it is the same for as long, so that a page which is drawn again is no other.
const ticketAge = time.Hour

// ticket names the set of files that it opens.
type ticket struct {
	Build    string `json:"b"`
	Job      string `json:"j"`
	Artifact string `json:"a,omitempty"`
	Reports  bool   `json:"r,omitempty"`
	Open     bool   `json:"o,omitempty"` // it was given to a stranger, and ends with the project's being public
	Until    int64  `json:"u"`           // Unix time
}

// tickets signs with a key that ends with the process.
type tickets struct{ key []byte }

func newTickets() tickets {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	return tickets{key}
}

func (t tickets) sum(text []byte) []byte {
	mac := hmac.New(sha256.New, t.key)
	mac.Write(text)
	return mac.Sum(nil)
}

func (t tickets) sign(of ticket) (string, error) {
	text, err := json.Marshal(of)
	return base64.RawURLEncoding.EncodeToString(append(t.sum(text), text...)), err
}

// read returns what a ticket of ours opens, and whether it is one and still holds.
func (t tickets) read(signed string, now time.Time) (of ticket, ok bool) {
	all, err := base64.RawURLEncoding.DecodeString(signed)
	if err != nil || len(all) < sha256.Size || !hmac.Equal(all[:sha256.Size], t.sum(all[sha256.Size:])) {
		return of, false
	}
	err = json.Unmarshal(all[sha256.Size:], &of)
	return of, err == nil && now.Unix() < of.Until
}

func (a *api) routePreviews() {
	add(a, huma.Operation{
		OperationID: "preview-artifacts", Method: http.MethodGet, Path: buildPath + "/artifacts/preview", Tags: []string{"artifacts"},
		Summary: "Where a browser finds the files of one artifact, for an hour or two",
		Description: "Below the path that is answered each file is what it is, not a download, and needs no token: the path is the secret. " +
			"All of it is of no origin, and loads nothing from elsewhere.",
	}, a.openPreview)
	pattern := "GET " + previewPath + "{ticket}/{path...}"
	a.pages[pattern] = true // no operation: the ticket says what may be had
	a.mux.ServeMux.HandleFunc(pattern, a.preview)
}

type previewIn struct {
	BuildInput
	ChoiceInput
}

func (a *api) openPreview(ctx context.Context, in *previewIn) (*jsonOut[client.Preview], error) {
	sets, err := a.someSets(in.id(), in.ChoiceInput)
	if err != nil {
		return nil, err
	}
	of := sets[0]
	until := time.Now().Truncate(ticketAge).Add(2 * ticketAge)
	signed, err := a.tickets.sign(ticket{Build: in.id(), Job: of.job, Artifact: of.artifact, Reports: of.reports, Open: caller(ctx).nobody, Until: until.Unix()})
	if err != nil {
		return nil, err
	}
	return answer(client.Preview{Path: previewPath + signed + "/", Expires: until})
}

// preview sends one file below a ticket.
func (a *api) preview(w http.ResponseWriter, r *http.Request) {
	of, ok := a.tickets.read(r.PathValue("ticket"), time.Now())
	project, number, err := client.SplitBuildID(of.Build)
	if !ok || err != nil || !framable(r.Header) || of.Open && !a.isPublic(project) {
		writeProblem(w, problem(http.StatusNotFound, "there is nothing here, or no longer", "open the page of the artifacts again"))
		return
	}
	name := r.PathValue("path")
	if name == "" || strings.HasSuffix(name, "/") {
		name += "index.html"
	}
	choice := ChoiceInput{Job: of.Job, Artifact: of.Artifact, Reports: of.Reports}
	if of.Artifact == "" && !of.Reports {
		choice.Artifact = client.PrimaryArtifact
	}
	body, file, err := a.openFile(r.Context(), &fileIn{BuildInput: BuildInput{Project: project, Number: number}, ChoiceInput: choice, Path: name})
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid) {
			a.Logger.Debug("opening a file for its preview", "build", of.Build, "path", name, "error", err)
		}
		writeProblem(w, problem(http.StatusNotFound, "this artifact has no such file", "its page lists them"))
		return
	}
	defer body.Close()
	h := w.Header()
	h.Set("Content-Type", previewType(name))
	h.Set("Content-Security-Policy", previewPolicy(a.hostOf(r)+a.Base+previewPath+r.PathValue("ticket")+"/"))
	h.Del("X-Frame-Options")            // the policy says it better
	h.Del("Cross-Origin-Opener-Policy") // browsers refuse a page with it that is in a sandbox
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Access-Control-Allow-Origin", "*") // fonts and modules ask for it; who asks has the ticket
	out := &stream{w: w, ctrl: http.NewResponseController(w)}
	if err = out.start(http.StatusOK); err == nil {
		_, err = copyBlocks(out, body)
	}
	if err != nil {
		a.Logger.Debug("sending a preview", "build", of.Build, "path", file.Path, "error", err)
		breakOff()
	}
}

// framable tells whether a request may have a preview: from anywhere but a page of ours, from which it may come for a frame, a tab or an
// image alone. Browsers say so themselves, and no script can make them lie.
func framable(h http.Header) bool {
	if site := h.Get("Sec-Fetch-Site"); site != "same-origin" {
		return true
	}
	return slices.Contains([]string{"iframe", "document", "image"}, h.Get("Sec-Fetch-Dest"))
}

// plainHost is a host as it can stand in a policy.
var plainHost = regexp.MustCompile(`^[A-Za-z0-9.\-\[\]:]+$`)

// hostOf is the origin that the browser knows us by, as far as we can tell.
func (a *api) hostOf(r *http.Request) string {
	switch {
	case a.Origin != "":
		return a.Origin
	case !plainHost.MatchString(r.Host):
		return "http://invalid.invalid"
	case a.Secure:
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// previewPolicy is that of a page of no origin which loads what lies below a path.
func previewPolicy(below string) string {
	return "sandbox allow-scripts; default-src 'none'; script-src " + below + " 'unsafe-inline' 'unsafe-eval' blob:; style-src " + below +
		" 'unsafe-inline'; img-src " + below + " data: blob:; font-src " + below + " data:; media-src " + below + " data: blob:; connect-src " + below +
		"; frame-src " + below + "; worker-src blob:; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
}

// previewTypes are the types that browsers show or that reports load. All else is text, or a download. The table is ours, since the
// system's may have anything.
var previewTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".htm": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
	".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8", ".json": "application/json", ".map": "application/json",
	".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp",
	".avif": "image/avif", ".ico": "image/x-icon", ".bmp": "image/bmp", ".woff": "font/woff", ".woff2": "font/woff2", ".ttf": "font/ttf",
	".otf": "font/otf", ".mp4": "video/mp4", ".webm": "video/webm", ".wasm": "application/wasm", ".txt": "text/plain; charset=utf-8",
	".log": "text/plain; charset=utf-8", ".md": "text/plain; charset=utf-8", ".xml": "text/plain; charset=utf-8", ".csv": "text/plain; charset=utf-8",
}

func previewType(name string) string {
	if kind := previewTypes[strings.ToLower(path.Ext(name))]; kind != "" {
		return kind
	}
	return "application/octet-stream"
}
