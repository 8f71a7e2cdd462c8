package scheduler

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/secrets"
	"github.com/runner-ci/runner/tests/quarantine"
)

// proofKeyForm is raised when what goes into a key changes.
const proofKeyForm = 1

// keyParts is all that a job's result depends on, as far as it is known here. The tree names the commits of submodules,
// and holds the files that the job's plan, its quarantine and x-runner were read from.
type keyParts struct {
	Form       int
	Tree       string
	Plan       json.RawMessage // of the job
	Images     []string        // its own, then those of its services
	Settings   string
	Limits     runner.Limits
	Bounds     config.Limits
	Network    runner.Network
	Vars       []keyVar
	Asked      []keyVar // CodeBuild's own variables that the plan or a variable names
	Quarantine quarantine.List
}

// keyVar is a variable with its value, or with the version of the secret it comes from.
type keyVar struct{ Name, Value, Version string }

// granter is a Vault that tells the versions of secrets apart.
type granter interface {
	Grant(ctx context.Context, who secrets.Subject, ref secrets.Ref) (secrets.Grant, error)
}

// keyMaker makes the keys of a build's jobs, as settings and secrets are when it is made.
type keyMaker struct {
	s        *Scheduler
	p        *Project
	t        *Trigger
	b        *Build
	settings string
}

func (s *Scheduler) keysOf(p *Project, t *Trigger, b *Build) (*keyMaker, error) {
	settings, err := s.settingsRevision(p)
	return &keyMaker{s, p, t, b, settings}, err
}

// key stands for all that a job's result depends on; "" where no result can be proof for it. proves is false where the
// job may take a result, and its own is none, because it is given a secret on the grounds of its trust.
func (m *keyMaker) key(ctx context.Context, pj *buildspec.Job) (key string, proves bool) {
	s, p, t, b := m.s, m.p, m.t, m.b
	plan, err := json.Marshal(pj)
	if err != nil || neverProof(pj, plan) {
		return "", false
	}
	parts := keyParts{
		Form: proofKeyForm, Tree: b.Tree, Plan: plan, Settings: m.settings, Bounds: s.limitsOf(p), Network: s.networkOf(p, b, pj),
		Limits: s.limitsFor(ctx, s.limitsOf(p), pj, s.engineOf(p)), Quarantine: b.QuarantineInForce(),
	}
	parts.Bounds.QueueTimeout, parts.Bounds.Jobs = 0, 0
	for _, ref := range s.imagesOf(pj) {
		img := b.Images[ref]
		if img.ID == "" {
			return "", false // on the host itself: nobody knows what that has
		}
		parts.Images = append(parts.Images, img.ID)
	}
	if parts.Vars, proves, err = s.keyVars(ctx, p, t, b, pj); err != nil {
		return "", false
	}
	parts.Asked = s.askedVars(p, t, b, pj, plan, parts.Vars)
	text, err := json.Marshal(parts)
	if err != nil || b.Tree == "" {
		return "", false
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), proves
}

// neverProof tells of jobs that run for every push, since what they do is not in their result: they push images, are root on
// the machine, use the project's credentials, or wait for a person. The plan says so by these names.
func neverProof(pj *buildspec.Job, plan []byte) bool {
	var does struct {
		Images json.RawMessage `json:"images"` // of x-runner
	}
	if err := json.Unmarshal(plan, &does); err != nil {
		return true
	}
	return len(does.Images) > 0 || pj.Privileged || pj.GitCredentials || pj.DebugSession
}

// errProtected ends the search for the key of a job that is given what trusted builds alone are given.
var errProtected = errors.New("a secret for trusted builds alone")

// keyVars are a job's variables in the order in which later ones win.
func (s *Scheduler) keyVars(ctx context.Context, p *Project, t *Trigger, b *Build, pj *buildspec.Job) (out []keyVar, proves bool, err error) {
	vars, err := s.wanted(p, b, t, pj)
	if err != nil {
		return nil, false, err
	}
	last := winners(vars)
	proves = true
	for i, v := range vars {
		if v.sealed == nil {
			out = append(out, keyVar{Name: v.name, Value: v.value})
			continue
		}
		if last[v.name] != i {
			continue
		}
		vault, knows := s.vault.(granter)
		if !knows {
			return nil, false, errNoVault
		}
		grant, err := vault.Grant(ctx, subject(b), v.sealed.ref)
		switch {
		case doesWithout(b, v.sealed, err):
			continue
		case err != nil:
			return nil, false, err
		case grant.TrustedOnly:
			return nil, false, errProtected
		}
		proves = proves && !grant.ByTrust
		out = append(out, keyVar{Name: v.name, Value: v.sealed.ref.Key, Version: grant.Version})
	}
	return out, proves, nil
}

// askedVars are the variables that tell builds, commits and events apart, as far as the job's plan or a value names them: a
// job that asks what it was started for is proof for no other. All others are ids that do not matter to it.
func (s *Scheduler) askedVars(p *Project, t *Trigger, b *Build, pj *buildspec.Job, plan []byte, vars []keyVar) (out []keyVar) {
	text := string(plan)
	for _, v := range vars {
		text += "\n" + v.Value
	}
	const event = "CODEBUILD_WEBHOOK"
	anyEvent := strings.Contains(text, event)
	for _, v := range s.steadyBuiltins(p, b, t, pj) {
		if strings.Contains(text, v.name) || anyEvent && strings.HasPrefix(v.name, event) {
			out = append(out, keyVar{Name: v.name, Value: v.value})
		}
	}
	return out
}

// settingsRevision stands for the settings of project and daemon that reach a job, but for limits, network and variables,
// which the key has as they are in force. A setting counts as one that does unless it is left out here.
func (s *Scheduler) settingsRevision(p *Project) (string, error) {
	cfg, own, engine := *s.config(), p.Project, s.engineOf(p)
	var seccomp string
	for _, e := range cfg.Engines {
		if e.ID == engine && e.Seccomp != "" {
			text, err := os.ReadFile(e.Seccomp)
			if err != nil {
				return "", err
			}
			seccomp = string(text)
		}
	}
	own.Approval, own.Visibility, own.WebhookSecret = "", "", ""         // branch and protected stay: who was trusted by them need not be now
	own.Username, own.Token, own.SSHKey, own.KnownHosts = "", "", "", "" // how the source is had, not what it is
	own.Limits, own.MaxJobs, own.Priority, own.Env, own.Parameters, own.Secrets = config.Limits{}, 0, 0, nil, nil, nil
	own.Network, own.NetworkUntrusted, own.KeepFailed = "", "", ""
	own.GreenBeforePush, own.GreenFrom, own.GreenAge, own.GreenTags = "", nil, 0, false
	own.Status, own.Comment, own.Notifications, own.Schedules, own.ForgeToken = config.Status{}, "", nil, nil, ""
	cfg.SMTP, cfg.Notifications = config.SMTP{}, nil // who hears of builds, and when they start by themselves
	cfg.Projects, cfg.Limits, cfg.Network, cfg.NetworkUntrusted = nil, config.Limits{}, "", ""
	cfg.Listen, cfg.URL, cfg.TLS, cfg.TrustedProxies, cfg.Access = "", "", config.TLS{}, nil, config.Access{}
	cfg.Data, cfg.Slots, cfg.Warm, cfg.WarmMemoryBytes, cfg.Space, cfg.Retention = "", 0, "", 0, config.Space{}, config.Retention{}
	cfg.KeepFailed, cfg.KeepFailedBytes = "", 0
	cfg.Registries, cfg.ImageAliases = nil, nil // they give an image, which the key has
	cfg.Source, cfg.Secrets, cfg.Metrics, cfg.Telemetry = config.SourceLimit{}, config.SecretStore{}, config.Metrics{}, config.Telemetry{}
	made := ""
	if s.runner != nil {
		made = s.runner.Make // agent, engines, proxies and authorities
	}
	text, err := json.Marshal([]any{own, cfg, engine, seccomp, made})
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), err
}
