package registry

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

// parseDistribution reads the envelope of a CNCF Distribution registry: several events, of which those count that pushed a
// tag (https://distribution.github.io/distribution/about/notifications/).
func parseDistribution(_ http.Header, body []byte) (out []Push, err error) {
	var envelope struct {
		Events []struct {
			Action string `json:"action"`
			Target struct {
				Repository string `json:"repository"`
				Tag        string `json:"tag"`
				Digest     string `json:"digest"`
			} `json:"target"`
			Request struct {
				Host string `json:"host"`
			} `json:"request"`
			Actor struct {
				Name string `json:"name"`
			} `json:"actor"`
		} `json:"events"`
	}
	if err := json.Unmarshal(body, &envelope); err != nil {
		return nil, err
	}
	if envelope.Events == nil {
		return nil, errors.New("it has no events")
	}
	for _, e := range envelope.Events {
		if e.Action == "push" {
			out = append(out, Push{Host: e.Request.Host, Repository: e.Target.Repository, Tag: e.Target.Tag, Digest: e.Target.Digest, Pusher: e.Actor.Name})
		}
	}
	return out, nil
}

// parseDockerHub reads what Docker Hub sends, which is of one push, and names no digest
// (https://docs.docker.com/docker-hub/repos/manage/webhooks/).
func parseDockerHub(_ http.Header, body []byte) ([]Push, error) {
	var p struct {
		Data *struct {
			Tag      string      `json:"tag"`
			Pusher   string      `json:"pusher"`
			PushedAt json.Number `json:"pushed_at"`
		} `json:"push_data"`
		Repository struct {
			Name string `json:"repo_name"`
		} `json:"repository"`
	}
	if err := json.Unmarshal(body, &p); err != nil {
		return nil, err
	}
	if p.Data == nil {
		return nil, errors.New("it has no push_data")
	}
	return []Push{{Host: "docker.io", Repository: p.Repository.Name, Tag: p.Data.Tag, Pusher: p.Data.Pusher, Moment: p.Data.PushedAt.String()}}, nil
}

// harborData is what Harbor says of an artifact, in both of its formats.
type harborData struct {
	Resources []struct {
		Digest string `json:"digest"`
		Tag    string `json:"tag"`
		URL    string `json:"resource_url"`
	} `json:"resources"`
	Repository struct {
		FullName string `json:"repo_full_name"`
	} `json:"repository"`
}

// parseHarbor reads Harbor's own format and its CloudEvents
// (https://goharbor.io/docs/latest/working-with-projects/project-configuration/configure-webhooks/).
func parseHarbor(_ http.Header, body []byte) (out []Push, err error) {
	var p struct {
		Type     string     `json:"type"`
		Operator string     `json:"operator"`
		Own      harborData `json:"event_data"`
		Cloud    harborData `json:"data"`
	}
	if err := json.Unmarshal(body, &p); err != nil {
		return nil, err
	}
	data := p.Own
	switch p.Type {
	case "PUSH_ARTIFACT":
	case "harbor.artifact.pushed":
		data = p.Cloud
	case "":
		return nil, errors.New("it has no type")
	default:
		return nil, nil
	}
	for _, r := range data.Resources {
		host, _, _ := strings.Cut(r.URL, "/")
		tag := r.Tag
		if strings.Contains(tag, ":") { // an artifact without a tag has its digest there
			tag = ""
		}
		out = append(out, Push{Host: host, Repository: data.Repository.FullName, Tag: tag, Digest: r.Digest, Pusher: p.Operator})
	}
	return out, nil
}

// parseQuay reads Quay's notification of a push, which names tags and nothing else of it
// (https://docs.redhat.com/en/documentation/red_hat_quay/, repository notifications).
func parseQuay(_ http.Header, body []byte) (out []Push, err error) {
	var p struct {
		Repository string   `json:"repository"`
		URL        string   `json:"docker_url"`
		Tags       []string `json:"updated_tags"`
	}
	if err := json.Unmarshal(body, &p); err != nil {
		return nil, err
	}
	if p.Repository == "" {
		return nil, errors.New("it names no repository")
	}
	host, _, _ := strings.Cut(p.URL, "/")
	for _, tag := range p.Tags {
		out = append(out, Push{Host: host, Repository: p.Repository, Tag: tag})
	}
	return out, nil
}

// githubPackage is what GitHub says of a package, in the events package and registry_package alike.
type githubPackage struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	Type      string `json:"package_type"`
	Version   struct {
		Container struct {
			Tag struct {
				Name   string `json:"name"`
				Digest string `json:"digest"`
			} `json:"tag"`
		} `json:"container_metadata"`
	} `json:"package_version"`
}

// parseGitHub reads the events package and registry_package, for images of ghcr.io
// (https://docs.github.com/en/webhooks/webhook-events-and-payloads#package).
func parseGitHub(header http.Header, body []byte) ([]Push, error) {
	event := header.Get("X-GitHub-Event")
	if !strings.HasPrefix(header.Get("Content-Type"), "application/json") {
		return nil, errors.New("its content type is not application/json; set that in the webhook's settings")
	}
	var p struct {
		Action   string        `json:"action"`
		Package  githubPackage `json:"package"`
		Registry githubPackage `json:"registry_package"`
		Sender   struct {
			Login string `json:"login"`
		} `json:"sender"`
	}
	if err := json.Unmarshal(body, &p); err != nil {
		return nil, err
	}
	pkg := p.Package
	switch event {
	case "package":
	case "registry_package":
		pkg = p.Registry
	case "":
		return nil, errors.New("it has no X-GitHub-Event header")
	default:
		return nil, nil
	}
	if p.Action != "published" && p.Action != "updated" || !strings.EqualFold(pkg.Type, "container") {
		return nil, nil
	}
	tag := pkg.Version.Container.Tag
	return []Push{{
		Host: "ghcr.io", Repository: strings.ToLower(pkg.Namespace + "/" + pkg.Name), Tag: tag.Name, Digest: tag.Digest, Pusher: p.Sender.Login,
	}}, nil
}
