package server

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/forge/registry"
	"github.com/runner-ci/runner/scheduler"
)

const (
	// maxNotification bounds a registry's notification in bytes. Its proof is compared with every secret, and it tells of a
	// hundred pushes at most.
	maxNotification = 128 << 10
	// registryPath is where registries send to.
	registryPath = "/hooks/registry/"
	// sameMoment is within which two pushes of one tag are one, where the registry says neither digest nor time.
	sameMoment = time.Minute
)

// pushAnswer is what became of one pushed tag for one project.
type pushAnswer struct {
	Project string `json:"project"`
	Image   string `json:"image"`
	Trigger string `json:"trigger"`
	Outcome string `json:"outcome" enum:"pending,built,skipped"`
	Again   bool   `json:"again,omitempty" doc:"the project was told of this image before, and nothing new is built"`
}

// registryAnswer is what a registry is told.
type registryAnswer struct {
	Outcome string       `json:"outcome" enum:"accepted,ignored"`
	Reason  string       `json:"reason,omitempty" doc:"why nothing is built"`
	Pushes  []pushAnswer `json:"pushes,omitempty"`
}

type registryOut struct {
	Status int
	Body   registryAnswer
}

// secretIn is a notification whose path ends with its proof.
type secretIn struct {
	hookIn
	Secret string `path:"secret" maxLength:"1000"`
}

func (a *api) routeRegistryHooks() {
	for _, k := range registry.Kinds {
		op := huma.Operation{
			OperationID: "hook-registry-" + k.Name, Method: http.MethodPost, Path: registryPath + k.Name, Tags: []string{"hooks"},
			Summary:       "Where registries of the kind " + k.Name + " send what was pushed to them",
			Description:   "Needs no token: a notification proves itself by the secret of a registry trigger, by " + string(k.Proof) + ".",
			DefaultStatus: http.StatusAccepted,
			RequestBody:   &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {}}},
			Errors: []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusRequestTimeout,
				http.StatusRequestEntityTooLarge, http.StatusTooManyRequests, http.StatusServiceUnavailable},
		}
		if k.Proof == registry.ByPath {
			op.Path += "/{secret}"
			addPublic(a, op, func(ctx context.Context, in *secretIn) (*registryOut, error) {
				return a.metered(ctx, k, &in.hookIn, in.Secret)
			})
			continue
		}
		addPublic(a, op, func(ctx context.Context, in *hookIn) (*registryOut, error) { return a.metered(ctx, k, in, "") })
	}
}

// shownPath is a request's path as it is written to the log: without the secret that proves a notification, also where a
// registry was given an address below which there is nothing.
func shownPath(path string) string {
	if rest, is := strings.CutPrefix(path, previewPath); is {
		_, name, _ := strings.Cut(rest, "/")
		return previewPath + "…/" + name
	}
	before, rest, is := strings.Cut(path, registryPath)
	if name, secret, more := strings.Cut(rest, "/"); is && more && secret != "" {
		return before + registryPath + name + "/…"
	}
	return path
}

func (a *api) metered(ctx context.Context, k registry.Kind, in *hookIn, secret string) (*registryOut, error) {
	began := time.Now()
	out, err := a.registryHook(ctx, k, in, secret)
	status := http.StatusAccepted
	if err != nil {
		status = problemOf(err).Status
	}
	a.Meter.Webhook(k.Name, status, time.Since(began))
	return out, err
}

// registryHook takes the steps that package registry describes.
func (a *api) registryHook(ctx context.Context, k registry.Kind, in *hookIn, secret string) (*registryOut, error) {
	if in.r.ContentLength > maxNotification {
		return nil, notificationTooLarge()
	}
	body, release, err := a.readHook(in)
	if err != nil {
		return nil, err
	}
	defer release()
	if len(body) > maxNotification {
		return nil, notificationTooLarge()
	}
	proven, unread, err := a.proven(k, registry.Notification{Header: in.r.Header, Body: body, Secret: secret})
	if err != nil {
		return nil, err
	}
	if len(proven) == 0 {
		if pause := a.hooks.take(a.addressOf(in.r)); pause > 0 {
			return nil, tooOften(in.w, pause)
		}
		a.sayUnreadTriggers(unread)
		a.Logger.Warn("notification of a registry refused", "reason", "no registry trigger of this kind has a secret that it proves to know",
			"registry", k.Name, "remote", a.addressOf(in.r).String())
		return nil, problem(http.StatusUnauthorized, "no project has a registry trigger of this kind with a secret that this notification proves to know",
			"compare the secret of the project's registry-triggers with what the registry was given")
	}
	a.sayUnreadTriggers(unread)
	pushes, err := k.Parse(in.r.Header, body)
	if err != nil {
		return nil, problem(http.StatusBadRequest, err.Error(), "")
	}
	out := registryAnswer{Outcome: "accepted"}
	for _, p := range pushes {
		for _, triggers := range proven {
			one, err := a.acceptPush(ctx, k, p, triggers)
			if err != nil {
				return nil, err // the registry sends it again, and what was stored is known then
			}
			if one != nil {
				out.Pushes = append(out.Pushes, *one)
			}
		}
	}
	if len(out.Pushes) == 0 {
		out.Outcome, out.Reason = "ignored", "it tells of no pushed tag that a registry trigger with this secret is for"
	}
	return &registryOut{http.StatusAccepted, out}, nil
}

func notificationTooLarge() error {
	return problem(http.StatusRequestEntityTooLarge, fmt.Sprintf("the notification is larger than %d KiB", maxNotification>>10), "have the registry send fewer events at once")
}

// provenTriggers are those of one project whose secret a notification proves to know.
type provenTriggers struct {
	project  string
	triggers []config.RegistryTrigger
}

// proven finds them, project by project. Each secret is read and compared once, and one where there is none. Those that
// cannot be read are the caller's to log.
func (a *api) proven(k registry.Kind, n registry.Notification) (out []provenTriggers, unread []unreadSecret, err error) {
	var all []provenTriggers
	err = a.Scheduler.EachProject(func(p *config.Project) {
		one := provenTriggers{project: p.Name}
		for _, t := range p.RegistryTriggers {
			if t.Registry == k.Name {
				one.triggers = append(one.triggers, t)
			}
		}
		if len(one.triggers) > 0 {
			all = append(all, one)
		}
	})
	if err != nil {
		return nil, nil, err
	}
	known := make(map[config.Secret]bool)
	verify := func(ref config.Secret, project string) bool {
		if ok, tried := known[ref]; tried {
			return ok
		}
		secret, err := a.Secret(ref)
		if err != nil {
			unread = append(unread, unreadSecret{project, err})
		}
		known[ref] = k.Verify(n, secret)
		return known[ref]
	}
	for _, one := range all {
		good := provenTriggers{project: one.project}
		for _, t := range one.triggers {
			if verify(t.Secret, one.project) {
				good.triggers = append(good.triggers, t)
			}
		}
		if len(good.triggers) > 0 {
			out = append(out, good)
		}
	}
	if len(all) == 0 {
		k.Verify(n, []byte("no project, no secret, the same work"))
	}
	return out, unread, nil
}

func (a *api) sayUnreadTriggers(all []unreadSecret) {
	for _, u := range all {
		a.Logger.Error("the secret of a registry trigger cannot be read, so its notifications are refused", "project", u.project, "error", u.err)
	}
}

// acceptPush stores the trigger of a push for one project, where one of its registry triggers is for it: the first counts.
// The project is told of each digest once, whatever tags it gets. What a build of its own pushes is stored as skipped.
func (a *api) acceptPush(ctx context.Context, k registry.Kind, p registry.Push, of provenTriggers) (*pushAnswer, error) {
	for _, t := range of.triggers {
		if !t.Fits(p.Repository, p.Tag, p.Pusher) {
			continue
		}
		trigger := scheduler.Trigger{
			Kind: scheduler.KindRegistry, Projects: []string{of.project}, Ref: t.FullRef(), Actor: cmp.Or(p.Pusher, k.Name),
			Delivery: "registry/" + of.project + "/" + momentOf(p, time.Now()),
			Image:    &scheduler.PushedImage{Registry: k.Name, Name: p.Image(), Tag: p.Tag, Digest: p.Digest},
		}
		build, err := a.Scheduler.PushedBy(of.project, *trigger.Image, time.Now())
		if err != nil {
			return nil, err
		}
		if build != "" {
			trigger.Skip = build + " of the project itself pushes " + p.Image() + ":" + p.Tag
		}
		stored, created, err := a.Scheduler.Accept(ctx, trigger)
		if err != nil {
			return nil, err
		}
		a.Logger.Info("image pushed", "registry", k.Name, "image", p.Image()+":"+p.Tag, "digest", p.Digest, "project", of.project, "trigger", stored.ID, "again", !created)
		return &pushAnswer{of.project, p.Image() + ":" + p.Tag, stored.ID, string(stored.Outcome), !created}, nil
	}
	return nil, nil
}

// momentOf is by what a push is known when it is told of again.
func momentOf(p registry.Push, now time.Time) string {
	if p.Digest != "" {
		return p.Digest
	}
	moment := cmp.Or(p.Moment, now.UTC().Truncate(sameMoment).Format(time.RFC3339))
	return p.Image() + ":" + p.Tag + "/" + moment
}

func showRegistryTrigger(t config.RegistryTrigger) client.RegistryTrigger {
	return client.RegistryTrigger{
		Registry: t.Registry, Repository: t.Repository, Tag: t.Tag, Secret: string(t.Secret), Ref: t.Ref, IgnorePushers: t.IgnorePushers,
	}
}

func readRegistryTrigger(t client.RegistryTrigger) config.RegistryTrigger {
	return config.RegistryTrigger{
		Registry: t.Registry, Repository: t.Repository, Tag: t.Tag, Secret: config.Secret(t.Secret), Ref: t.Ref, IgnorePushers: t.IgnorePushers,
	}
}
