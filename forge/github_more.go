package forge

import "fmt"

// githubRelease reads a release. GitHub reports one publication under several actions; released and prereleased are
// those that say which of the two it is.
func githubRelease(event Event, text []byte) (Event, error) {
	var p struct {
		Action  string
		Release struct {
			TagName string `json:"tag_name"`
			Name    string
		}
	}
	if err := read("GitHub", text, &p); err != nil {
		return event, err
	}
	if p.Action != "released" && p.Action != "prereleased" {
		event.Ignore = fmt.Sprintf("release action %q builds nothing; released and prereleased do", clip(p.Action))
		return event, nil
	}
	return release{tag: p.Release.TagName, title: p.Release.Name, pre: p.Action == "prereleased"}.event(event)
}

// githubMembers are the associations of a comment's author with the repository that let a command count.
var githubMembers = map[string]bool{"OWNER": true, "MEMBER": true, "COLLABORATOR": true}

// githubComment reads a comment on a pull request. GitHub tells neither its head nor whether it comes from a fork.
func githubComment(event Event, text []byte) (Event, error) {
	var p struct {
		Action string
		Issue  struct {
			Number      int
			Title       string
			PullRequest *struct{} `json:"pull_request"`
		}
		Comment struct {
			Body        string
			Association string `json:"author_association"`
		}
	}
	if err := read("GitHub", text, &p); err != nil {
		return event, err
	}
	if p.Action != "created" || p.Issue.PullRequest == nil {
		event.Ignore = "only a new comment on a pull request can give a command"
		return event, nil
	}
	event.Title = clip(p.Issue.Title)
	return remark{
		number: p.Issue.Number, ref: fmt.Sprintf("refs/pull/%d/head", p.Issue.Number),
		text: p.Comment.Body, member: githubMembers[p.Comment.Association],
	}.event(event)
}
