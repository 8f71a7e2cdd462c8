package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/forge"
	"github.com/runner-ci/runner/scheduler"
)

const (
	// maxHook bounds a webhook's body in bytes: GitHub sends no more than 25 MB.
	maxHook = 25 << 20
	// hookTimeout is how long a body may take to come. GitHub gives the whole delivery 10 s.
	hookTimeout = 10 * time.Second
	// smallHook is how much of a body anyone may have in our memory. What is larger takes a slot of largeHooks, so
	// that strangers with many connections cannot fill it.
	smallHook  = 256 << 10
	largeHooks = 4
	// usualHook is for how much of a body room is made at once, on no more than its sender's word.
	usualHook = 16 << 10
	// maxDelivery bounds a delivery's id in bytes.
	maxDelivery = 200
)

// hookAnswer is what a forge is told. People read it in the forge's list of recent deliveries.
type hookAnswer struct {
	Trigger  string   `json:"trigger,omitempty" doc:"id of the trigger that was recorded"`
	Outcome  string   `json:"outcome" enum:"pong,ignored,pending,built,skipped,waiting"`
	Reason   string   `json:"reason,omitempty" doc:"why nothing is built"`
	Projects []string `json:"projects,omitempty" doc:"projects whose secret the delivery was signed with"`
	Builds   []string `json:"builds,omitempty" doc:"what was built, as far as that is known already"`

	More []hookAnswer `json:"more,omitempty" doc:"the same for the other refs of a push that changed several"`

	again bool // the trigger was there before, by this delivery or by looking at the remote
}

type hookOut struct {
	Status int
	Body   hookAnswer
}

// hookIn takes the request as it is: the signature is over its raw bytes.
type hookIn struct {
	r    *http.Request
	w    http.ResponseWriter
	ctrl *http.ResponseController
	note *scheduler.Received // for the inbox; nil: it is not worth a record
}

// Resolve takes the request over from huma.
func (in *hookIn) Resolve(ctx huma.Context) []error {
	r, w := humago.Unwrap(ctx)
	in.r, in.w, in.ctrl = r, w, http.NewResponseController(w)
	return nil
}

func (a *api) routeHooks() {
	body := &huma.MediaType{} // without a schema, or huma would read the body before its signature is known
	for _, f := range a.Forges {
		addPublic(a, huma.Operation{
			OperationID: "hook-" + f.Name(), Method: http.MethodPost, Path: "/hooks/" + f.Name(), Tags: []string{"hooks"},
			Summary:       "Where " + f.Name() + " delivers its webhooks",
			Description:   "Needs no token: a delivery is signed with the webhook secret of a project.",
			DefaultStatus: http.StatusAccepted, Responses: described("application/json", schemaOf[hookAnswer](a)), // 200 is for a ping
			RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
				"application/json": body, "application/x-www-form-urlencoded": body,
			}},
			Errors: []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusRequestTimeout,
				http.StatusRequestEntityTooLarge, http.StatusTooManyRequests, http.StatusServiceUnavailable},
		}, func(ctx context.Context, in *hookIn) (*hookOut, error) {
			began := time.Now()
			out, err := a.hook(ctx, f, in)
			a.note(in, out, err)
			if err != nil {
				a.Meter.Webhook(f.Name(), problemOf(err).Status, time.Since(began))
			} else {
				a.Meter.Webhook(f.Name(), out.Status, time.Since(began))
			}
			return out, err
		})
	}
}

// unsigned is the one answer to an unknown repository, a wrong signature, and a body that cannot be read: a stranger
// learns nothing about which projects there are.
func unsigned() *Problem {
	return problem(http.StatusUnauthorized, "no project has this repository and a webhook secret that this delivery is signed with",
		"compare the project's URL and webhook secret with the webhook's settings")
}

// hook takes the steps that package forge describes.
func (a *api) hook(ctx context.Context, f forge.Forge, in *hookIn) (*hookOut, error) {
	body, release, err := a.readHook(in)
	if err != nil {
		return nil, err
	}
	defer release()
	event, parseErr := f.Parse(in.r.Header, body)
	a.noting(f, in, &event)
	projects, candidates, unread, err := a.signers(f, in.r.Header, body, event)
	if err != nil {
		return nil, err
	}
	if len(projects) == 0 {
		// What the answer must not tell a stranger, the log tells the admin.
		reason := "no project with a webhook secret has one of these URLs"
		if len(candidates) > 0 {
			reason = "the signature fits no secret of these projects"
		}
		pause := a.hooks.take(a.addressOf(in.r))
		if pause > 0 {
			in.note = nil
			return nil, tooOften(in.w, pause) // and not a line more in the log
		}
		a.sayUnread(unread)
		in.note.Reason = strings.TrimSpace(reason + " " + strings.Join(candidates, " "))
		a.Logger.Warn("webhook refused", "reason", reason, "projects", candidates, "urls", clip(strings.Join(event.Repository.URLs, " "), 500),
			"forge", f.Name(), "remote", a.addressOf(in.r).String())
		return nil, unsigned()
	}
	a.sayUnread(unread)
	in.note.Projects = projects
	if parseErr != nil {
		return nil, problem(http.StatusBadRequest, parseErr.Error(), "")
	}
	delivery := f.Delivery(in.r.Header)
	if delivery == "" || len(delivery) > maxDelivery {
		return nil, problem(http.StatusBadRequest, "the delivery has no id by which it would be known when it comes again",
			"the forge sends one in a header of each delivery; a proxy must not drop it")
	}
	switch event.Kind {
	case forge.Ping:
		return &hookOut{http.StatusOK, hookAnswer{Outcome: "pong", Projects: projects}}, nil
	case forge.Other:
		return &hookOut{http.StatusAccepted, hookAnswer{Outcome: "ignored", Reason: event.Ignore, Projects: projects}}, nil
	}
	answer, err := a.takeEvents(ctx, f, delivery, projects, event)
	if err != nil {
		return nil, err
	}
	return &hookOut{http.StatusAccepted, answer}, nil
}

// takeEvents makes triggers of all that a delivery tells of, one after the other. Should the daemon die in between, the
// forge has no answer and delivers again: each has an id of its own, so that those that are there make nothing twice.
func (a *api) takeEvents(ctx context.Context, f forge.Forge, delivery string, projects []string, first forge.Event) (hookAnswer, error) {
	var all []hookAnswer
	for _, e := range append([]forge.Event{first}, first.More...) {
		take := a.takeEvent
		if e.Kind == forge.Comment {
			take = a.takeCommand
		}
		answers, err := take(ctx, f, deliveryOf(f, delivery, projects, e), projects, e)
		if err != nil {
			return hookAnswer{}, err
		}
		all = append(all, answers...)
	}
	all[0].More = all[1:]
	return all[0], nil
}

// deliveryOf is the id by which an event is known when it comes again. One that is made of what was sent, and not of a random
// id, bears for whom it is: two repositories can share all that it is made of, and one's could be made to stand in the way of
// the other's.
func deliveryOf(f forge.Forge, delivery string, projects []string, e forge.Event) string {
	id := f.Name() + "/" + delivery
	if e.Same != "" {
		id = f.Name() + "/" + projects[0] + "/" + e.Same
	}
	if e.Part != "" {
		id += "/" + e.Part
	}
	return id
}

// takeEvent makes a trigger of an event.
func (a *api) takeEvent(ctx context.Context, _ forge.Forge, delivery string, projects []string, e forge.Event) ([]hookAnswer, error) {
	answer, err := a.takeTrigger(ctx, hookTrigger(delivery, projects, e))
	return []hookAnswer{answer}, err
}

func (a *api) takeTrigger(ctx context.Context, t scheduler.Trigger) (hookAnswer, error) {
	t, created, err := a.Scheduler.Accept(ctx, t)
	if err != nil {
		return hookAnswer{}, err
	}
	forge, _, _ := strings.Cut(t.Delivery, "/")
	a.Logger.Info("webhook accepted", "forge", forge, "trigger", t.ID, "kind", t.Kind, "ref", t.Ref, "commit", t.Commit,
		"projects", t.Projects, "again", !created)
	answer := answerOf(t)
	answer.again = !created
	return answer, nil
}

// answerOf is what a forge is told of a trigger.
func answerOf(t scheduler.Trigger) hookAnswer {
	out := hookAnswer{Trigger: t.ID, Outcome: string(t.Outcome), Reason: t.Reason, Projects: t.Projects, Builds: t.Builds}
	if t.Skip != "" && t.Outcome == scheduler.OutcomePending {
		out.Outcome, out.Reason = string(scheduler.OutcomeSkipped), t.Skip // certain already
	}
	return out
}

// kinds are the forge's events as triggers.
var kinds = map[forge.Kind]scheduler.TriggerKind{
	forge.Push: scheduler.KindPush, forge.Tag: scheduler.KindTag, forge.PullRequest: scheduler.KindPullRequest,
	forge.Release: scheduler.KindRelease, forge.Comment: scheduler.KindComment,
}

// hookTrigger makes the trigger. Trusted stays false: each project protects other refs, so the scheduler judges it
// for every build by itself.
func hookTrigger(delivery string, projects []string, e forge.Event) scheduler.Trigger {
	word := scheduler.SkipWord(e.Message)
	return scheduler.Trigger{
		SkipWord: word, Read: e.Message != "",
		Kind: kinds[e.Kind], Projects: projects, Delivery: delivery,
		Ref: e.Ref, HeadRef: e.HeadRef, Commit: e.Commit, Before: e.Before, BaseRef: e.BaseRef,
		PullRequest: e.PullRequest, Fork: e.Fork, Event: e.Webhook,
		HeadRepo: e.HeadRepository, Draft: e.Draft, Labels: e.Labels, Release: e.Release,
		Title: e.Title, Actor: e.Actor, ActorID: e.ActorID, Skip: e.Skip,
	}
}

// signers returns the names of the projects that the delivery is for: those that have the event's repository, and
// whose secret it is signed with; and of the candidates, those that have the repository. When there is none of these a
// signature is computed all the same. What is to be said of secrets that could not be read is the caller's to log, since
// strangers can ask as often as they like.
func (a *api) signers(f forge.Forge, header http.Header, body []byte, event forge.Event) (names, candidates []string, unread []unreadSecret, err error) {
	keys := event.Repository.Keys()
	var refs []config.Secret // of the candidates
	err = a.Scheduler.EachProject(func(p *config.Project) {
		if secret := p.HookSecret(); secret != "" && a.concerns(event, keys, p.URL, len(body)) {
			candidates, refs = append(candidates, p.Name), append(refs, secret)
		}
	})
	if err != nil {
		return nil, nil, nil, err
	}
	readable := candidates[:0:0]
	for i, name := range candidates {
		secret, err := a.Secret(refs[i])
		if err != nil || len(secret) == 0 {
			unread = append(unread, unreadSecret{name, err})
			continue
		}
		readable = append(readable, name)
		if f.Verify(header, body, secret) {
			names = append(names, name)
		}
	}
	candidates = readable
	slices.Sort(names)
	if len(candidates) == 0 {
		f.Verify(header, body, []byte("no project, no secret, the same work"))
	}
	return names, candidates, unread, nil
}

// unreadSecret is of a project whose webhook secret cannot be read.
type unreadSecret struct {
	project string
	err     error
}

func (a *api) sayUnread(all []unreadSecret) {
	for _, u := range all {
		a.Logger.Error("the webhook secret of a project cannot be read, so its webhooks are refused", "project", u.project, "error", u.err)
	}
}

// maxPing is how large a ping of an organization's webhook may be, in bytes: it is compared with every secret.
const maxPing = 64 << 10

// concerns tells whether an event, whose repository has these keys, is about the repository at that address. The ping of an
// organization's webhook names no repository, so it concerns all. Of a forge that does not tell its own address, only the
// end of the repository's is compared: the secret is what tells two of the same name apart.
func (a *api) concerns(event forge.Event, keys []string, address string, size int) bool {
	if len(keys) == 0 && event.Repository.Path == "" {
		return event.Kind == forge.Ping && size <= maxPing
	}
	own, known := a.repositories.Load(address)
	if !known { // addresses are an admin's, and few
		own, _ = a.repositories.LoadOrStore(address, forge.RepositoryKey(address))
	}
	if len(keys) == 0 {
		return strings.HasSuffix(own.(string), "/"+event.Repository.Path)
	}
	return slices.Contains(keys, own.(string))
}

// readHook reads the body. It is unverified, so time and memory for it are bounded; release gives the memory back.
func (a *api) readHook(in *hookIn) (body []byte, release func(), err error) {
	release = func() {}
	if in.r.ContentLength > maxHook {
		return nil, nil, hookTooLarge()
	}
	_ = in.ctrl.SetReadDeadline(time.Now().Add(hookTimeout))
	defer func() { _ = in.ctrl.SetReadDeadline(time.Now().Add(a.patience)) }()
	var buf bytes.Buffer
	buf.Grow(int(min(max(in.r.ContentLength, 0), usualHook)) + bytes.MinRead)
	_, err = io.Copy(&buf, io.LimitReader(in.r.Body, smallHook))
	if err == nil && buf.Len() == smallHook {
		select {
		case a.large <- struct{}{}:
			release = func() { <-a.large }
		case <-time.After(hookTimeout):
			return nil, nil, problem(http.StatusServiceUnavailable, "too many large deliveries at once", "deliver it again")
		}
		_, err = io.Copy(&buf, io.LimitReader(in.r.Body, maxHook-smallHook+1))
	}
	switch {
	case err != nil:
		a.Logger.Debug("reading a webhook", "remote", in.r.RemoteAddr, "error", err)
		err = problem(http.StatusRequestTimeout, fmt.Sprintf("the body broke off after %d bytes, or took longer than %s", buf.Len(), hookTimeout), "deliver it again")
	case buf.Len() > maxHook:
		err = hookTooLarge()
	default:
		return buf.Bytes(), release, nil
	}
	release()
	return nil, nil, err
}

func hookTooLarge() error {
	return problem(http.StatusRequestEntityTooLarge, fmt.Sprintf("the delivery is larger than %d MiB", maxHook>>20), "no forge sends such deliveries")
}
