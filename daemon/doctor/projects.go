package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/daemon"
	"github.com/runner-ci/runner/scheduler"
	"github.com/runner-ci/runner/source"
)

// remoteChecks bounds how many remotes are asked; each is a connection of its own.
const remoteChecks = 200

// projectChecks ask each project's repository, once for several projects that have the same way to it.
func (p *patient) projectChecks(ctx context.Context) (list []check) {
	projects := append([]config.Project{}, p.cfg.Projects...)
	made, err := p.madeProjects(ctx)
	if err != nil {
		p.left.add("remotes of projects that the API made: %v", err)
	}
	projects = append(projects, made...)
	store, err := source.Open(source.Options{Dir: p.scratch, Worker: p.Worker, MemoryBytes: p.cfg.Source.MemoryBytes, Timeout: checkTime, Logger: p.Logger})
	if err != nil {
		p.left.add("remotes: %v", err)
		return nil
	}
	turns, seen := make(chan struct{}, 8), map[string]bool{}
	for _, project := range projects {
		if way := fmt.Sprint(project.URL, project.Username, project.Token, project.SSHKey, project.KnownHosts); seen[way] {
			continue
		} else {
			seen[way] = true
		}
		if len(list) == remoteChecks {
			p.left.add("remotes: %d of %d projects, because they are many", len(projects)-remoteChecks, len(projects))
			break
		}
		list = append(list, check{"remote " + project.Name, checkTime, func(ctx context.Context) []Finding { return p.remote(ctx, store, &project, turns) }})
	}
	return append(list, check{"webhooks", checkTime, func(context.Context) []Finding { return p.hookSecrets(projects) }})
}

// madeProjects are those that the API made: a running daemon tells of them, or the state of a stopped one.
func (p *patient) madeProjects(ctx context.Context) (out []config.Project, err error) {
	if p.daemon.api != nil {
		all, err := p.daemon.api.Projects(ctx)
		for _, project := range all {
			if project.Managed == "api" {
				out = append(out, ofAPI(project))
			}
		}
		return out, err
	}
	if p.daemon.runs {
		return nil, fmt.Errorf("the daemon that runs cannot be asked: %w", p.daemon.silent)
	}
	path := filepath.Join(p.cfg.Data, "state.db")
	if err := daemon.Sound(path); err != nil {
		return nil, errors.New("its state is damaged") // of which a check of its own tells more
	}
	err = daemon.Guarded(path, func() error {
		st, err := scheduler.OpenState(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // there was no daemon yet
		}
		if err != nil {
			return err
		}
		defer st.Close()
		out, err = st.Projects()
		return err
	})
	return out, err
}

func ofAPI(p client.Project) config.Project {
	return config.Project{
		Name: p.Name, URL: p.URL, Username: p.Username, Token: config.Secret(p.Token), SSHKey: config.Secret(p.SSHKey),
		KnownHosts: config.Secret(p.KnownHosts), WebhookSecret: config.Secret(p.WebhookSecret), ForgeToken: config.Secret(p.ForgeToken),
	}
}

// remote asks a repository as git ls-remote does, with the project's credentials.
func (p *patient) remote(ctx context.Context, store *source.Store, project *config.Project, turns chan struct{}) []Finding {
	for _, s := range []config.Secret{project.Token, project.SSHKey, project.KnownHosts, project.ForgeToken} {
		if _, err := s.Resolve(); err != nil {
			return []Finding{p.unresolved("its credential", string(s), err)}
		}
	}
	r, err := scheduler.RemoteOf(p.cfg, project)
	if err != nil {
		return []Finding{failed("correct the project's credentials", "%v", err)}
	}
	select {
	case turns <- struct{}{}:
		defer func() { <-turns }()
	case <-ctx.Done():
		p.left.add("remote of %s: others took the time", project.Name)
		return nil
	}
	offer, err := store.Ask(ctx, r)
	var refused *source.FetchError
	switch {
	case ctx.Err() != nil:
		return []Finding{failed("look at the network, the proxy and the host", "%s does not answer within %v", project.URL, checkTime)}
	case errors.As(err, &refused) && refused.Hint != "":
		return []Finding{failed(refused.Hint, "%s", refused.Message)}
	case err != nil:
		return []Finding{failed("look at the network, the proxy and the host", "%v", err)}
	case offer.Branches == 0:
		return []Finding{warned("push a branch", "%s answers, and is empty", project.URL)}
	}
	return []Finding{well("%s answers: %d branches, %d tags, default branch %s", project.URL, offer.Branches, offer.Tags, offer.Branch)}
}

// hookSecrets sees whether what webhooks are signed with can be read.
func (p *patient) hookSecrets(projects []config.Project) (out []Finding) {
	for _, project := range projects {
		if _, err := project.WebhookSecret.Resolve(); err != nil {
			f := p.unresolved("the webhook-secret of "+project.Name, string(project.WebhookSecret), err)
			if f.Level == Fail {
				f.What += ": every webhook is refused"
			}
			out = append(out, f)
		}
	}
	return out
}
