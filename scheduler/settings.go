package scheduler

import (
	"fmt"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/source"
)

// limitsOf lays a project's limits over the daemon's.
func (s *Scheduler) limitsOf(p *Project) config.Limits {
	return p.Limits.Or(s.config().Limits)
}

// networkOf is what a job may reach.
func (s *Scheduler) networkOf(p *Project, b *Build, pj *buildspec.Job) runner.Network {
	word := s.config().NetworkOf(&p.Project, b.Trusted, pj.Network)
	if word == config.NetworkOpen {
		return runner.NetworkOpen
	}
	return runner.Network(word)
}

// remote resolves a project's credentials at the moment of use, so that a rotated secret needs no restart.
func (s *Scheduler) remote(p *Project) (source.Remote, error) {
	return RemoteOf(s.config(), &p.Project)
}

// RemoteOf is a project's repository with its credentials, read now from what they refer to.
func RemoteOf(cfg *config.Config, p *config.Project) (source.Remote, error) {
	r := source.Remote{URL: p.URL, Username: p.Username, AllowFile: cfg.AllowFileURLs, CABundle: cfg.CABundle}
	for _, secret := range []struct {
		name string
		ref  config.Secret
		put  func([]byte)
	}{
		{"token", p.Token, func(v []byte) { r.Token = string(v) }},
		{"ssh-key", p.SSHKey, func(v []byte) { r.SSHKey = v }},
		{"known-hosts", p.KnownHosts, func(v []byte) { r.KnownHosts = v }},
	} {
		if secret.ref == "" {
			continue
		}
		v, err := secret.ref.Resolve()
		if err != nil {
			return source.Remote{}, fmt.Errorf("the %s of project %q: %w", secret.name, p.Name, err)
		}
		secret.put(v)
	}
	return r, nil
}

// registryAuth finds the credentials for an image's registry.
func (s *Scheduler) registryAuth(image string) (*runner.RegistryAuth, error) {
	server := runner.RegistryOf(image)
	for _, r := range s.config().Registries {
		if r.Server != server {
			continue
		}
		pw, err := r.Password.Resolve()
		if err != nil {
			return nil, fmt.Errorf("the password of registry %s: %w", r.Server, err)
		}
		return &runner.RegistryAuth{Server: r.Server, Username: r.Username, Password: string(pw)}, nil
	}
	return nil, nil
}
